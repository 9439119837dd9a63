/**
 * Which modules of a package are searched for handlers, the rule a Tasker worker follows at start-up, followed here
 * when the component is built: an index module where there is one, else every module.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BuildError } from './build-error.js';
import type { TemplateCallable } from './template.js';

export interface Sources {
  /** Modules searched for handlers, relative to the package. */
  discover: string[];
  /** Modules templates name by path: callable to module specifier. */
  table: Record<string, string>;
}

const INDEXES = [
  ['examples/index.ts', 'examples/index.js', 'index.ts', 'index.js'],
  ['dsl_examples/index.ts', 'dsl_examples/index.js'],
];
const MODULE = /\.(ts|mts|js|mjs)$/;
const NOT_A_MODULE = /\.(d\.m?ts|test\.m?[tj]s|spec\.m?[tj]s)$/;
const MODULE_PATH = /^(\.\.?\/|@[\w-]+\/)/;
const SKIPPED_DIRECTORIES = ['node_modules', 'dist', 'tests', 'test'];

/** Every source file of the package, relative to it; a new one can change what is discovered. */
export function listSources(directory: string): string[] {
  return scan(sourceRoot(directory)).map((file) => toPackage(directory, file));
}

export function findSources(directory: string, callables: readonly TemplateCallable[]): Sources {
  const root = sourceRoot(directory);
  const indexes = INDEXES.flatMap((alternatives) => {
    const found = alternatives.map((name) => join(root, name)).find((file) => existsSync(file));
    return found === undefined ? [] : [found];
  });
  const isPublic = (file: string) =>
    !relative(root, file)
      .split(/[\\/]/)
      .some((part) => part.startsWith('_'));
  const modules = indexes.length > 0 ? indexes : scan(root).filter(isPublic);
  if (modules.length === 0) {
    throw new BuildError(
      `${toPackage(directory, root)} holds no TypeScript or JavaScript module: handlers belong in src/`,
    );
  }
  return {
    discover: modules.map((file) => toPackage(directory, file)),
    table: moduleTable(directory, root, callables),
  };
}

function sourceRoot(directory: string): string {
  const src = join(directory, 'src');
  return existsSync(src) ? src : directory;
}

function toPackage(directory: string, file: string): string {
  return `./${relative(directory, file).replaceAll('\\', '/')}`;
}

function scan(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        return SKIPPED_DIRECTORIES.includes(entry.name) ? [] : scan(path);
      }
      return MODULE.test(entry.name) && !NOT_A_MODULE.test(entry.name) ? [path] : [];
    });
}

/** Callables that are module paths, as far as the files exist: what a template names must be in the component. */
function moduleTable(directory: string, root: string, callables: readonly TemplateCallable[]): Record<string, string> {
  const table: Record<string, string> = {};
  for (const { callable } of callables) {
    if (!MODULE_PATH.test(callable)) {
      continue;
    }
    if (callable.startsWith('@')) {
      table[callable] = callable;
      continue;
    }
    const path = join(root, callable);
    const bare = path.replace(/\.m?js$/, '');
    const file = [path, `${bare}.ts`, `${bare}.mts`, join(path, 'index.ts')].find(
      (candidate) => MODULE.test(candidate) && existsSync(candidate),
    );
    if (file !== undefined) {
      table[callable] = toPackage(directory, file);
    }
  }
  return table;
}
