/**
 * What an argument of the command names: the directory of a package, or one module that is a package by itself. Neither
 * needs any configuration; what is not configured follows from the names of files.
 */

import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { BuildError } from './build-error.js';

export interface NamedPackage {
  /** Absolute. */
  directory: string;
  /** The one module that is built, relative to the directory; null for a directory as a whole. */
  module: string | null;
}

/** Modules that handlers can be in. */
export const MODULE = /\.(ts|mts|js|mjs)$/;
/** Of these, what holds no handlers. */
export const NOT_A_MODULE = /\.(d\.m?ts|(?:test|spec|config)\.m?[tj]s)$/;

/** @throws BuildError when it is neither */
export function namedPackage(path: string): NamedPackage {
  const absolute = existsSync(path) ? realpathSync(path) : resolve(path);
  const stats = statSync(absolute, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new BuildError(`${path} does not exist`, [
      'expected: the directory of a package, or one module such as handler.ts',
    ]);
  }
  if (stats.isDirectory()) {
    return { directory: absolute, module: null };
  }
  if (!MODULE.test(absolute) || NOT_A_MODULE.test(absolute)) {
    throw new BuildError(`${path} is no module with handlers`, [
      'expected: the directory of a package, or one module such as handler.ts (.ts, .mts, .js, .mjs)',
    ]);
  }
  return { directory: dirname(absolute), module: `./${basename(absolute)}` };
}

/**
 * Whether a path among several, `handlers/*` in a shell, is something else: a file that is no module, or a directory
 * whose package.json builds it by other means. Null when it is a package; else why it is none.
 */
export function whyNoPackage(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() && (!MODULE.test(path) || NOT_A_MODULE.test(path))) {
    return 'it is no module with handlers';
  }
  if (stats?.isDirectory() && !existsSync(join(path, 'tasker.toml'))) {
    const build = packageJson(path)?.scripts?.build;
    if (typeof build === 'string' && !build.includes('tasker-componentize')) {
      return 'it has no tasker.toml, and its package.json builds it by other means';
    }
  }
  return null;
}

/** A component's name where tasker.toml gives none: that of the module, of package.json, or of the directory. */
export function defaultName({ directory, module }: NamedPackage): string {
  const given = packageJson(directory)?.name;
  const named = module !== null ? basename(module, extname(module)) : typeof given === 'string' ? given : null;
  const name = (named ?? basename(directory))
    .replace(/^@[^/]*\//, '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|-+$/g, '')
    .slice(0, 64);
  // Of a name in another script nothing may be left.
  return name === '' ? 'handlers' : name;
}

function packageJson(directory: string): { name?: unknown; scripts?: { build?: unknown } } | null {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  } catch {
    // Absent, or broken: whoever needs more of it than a name says so.
    return null;
  }
}
