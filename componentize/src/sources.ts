/**
 * Which modules of a package are searched for handlers, the rule a Tasker worker follows at start-up, followed here
 * when the component is built: the index modules where there are any, else every module.
 */

import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BuildError } from './build-error.js';
import { MODULE, type NamedPackage, NOT_A_MODULE } from './named-package.js';
import type { TemplateCallable } from './template.js';

export interface Sources {
  /** Modules searched for handlers, relative to the package. */
  discover: string[];
  /** Modules templates name by path: callable to module specifier. */
  table: Record<string, string>;
  /** Callables that the template leaves to a resolver of the package, and the methods it names. */
  resolved: Record<string, string[]>;
}

const INDEXES = [
  ['examples/index.ts', 'examples/index.js', 'index.ts', 'index.js'],
  ['dsl_examples/index.ts', 'dsl_examples/index.js'],
];
const MODULE_PATH = /^(\.\.?\/|@[\w-]+\/)/;
const SKIPPED_DIRECTORIES = ['node_modules', 'dist', 'tests', 'test'];

/** Every source file of the package, relative to it; a new one can change what is discovered. */
export function listSources({ directory, module }: NamedPackage): string[] {
  return module === null ? scan(sourceRoot(directory)).map((file) => toPackage(directory, file)) : [module];
}

/** Absolute paths of the directories a new source file can turn up in. */
export function listSourceDirectories({ directory, module }: NamedPackage): string[] {
  return module === null ? [directory, ...directoriesOf(sourceRoot(directory))] : [directory];
}

export function findSources({ directory, module }: NamedPackage, callables: readonly TemplateCallable[]): Sources {
  const root = module === null ? sourceRoot(directory) : directory;
  const found = module === null ? indexModules(root) : [join(directory, module)];
  const modules = found.length > 0 ? found : publicModules(root);
  if (modules.length === 0) {
    throw new BuildError(
      `${toPackage(directory, root)} holds no TypeScript or JavaScript module: handlers belong in src/`,
    );
  }
  return {
    discover: modules.map((file) => toPackage(directory, file)),
    table: moduleTable(directory, root, callables),
    resolved: resolvedMethods(callables),
  };
}

/** The same where the index modules turned out to hold nothing; null where there is no other place to look. */
export function everySource({ directory, module }: NamedPackage, { discover, ...others }: Sources): Sources | null {
  const modules = module === null ? publicModules(sourceRoot(directory)) : [];
  const all = modules.map((file) => toPackage(directory, file));
  return all.some((file) => !discover.includes(file)) ? { discover: all, ...others } : null;
}

function indexModules(root: string): string[] {
  return INDEXES.flatMap((alternatives) => {
    const found = alternatives.map((name) => join(root, name)).find((file) => existsSync(file));
    return found === undefined ? [] : [found];
  });
}

function publicModules(root: string): string[] {
  const isPublic = (file: string) =>
    !relative(root, file)
      .split(/[\\/]/)
      .some((part) => part.startsWith('_'));
  return scan(root).filter(isPublic);
}

function sourceRoot(directory: string): string {
  const src = join(directory, 'src');
  return existsSync(src) ? src : directory;
}

function toPackage(directory: string, file: string): string {
  return `./${relative(directory, file).replaceAll('\\', '/')}`;
}

function scan(directory: string): string[] {
  return entriesOf(directory).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      return scan(path);
    }
    return MODULE.test(entry.name) && !NOT_A_MODULE.test(entry.name) ? [path] : [];
  });
}

function directoriesOf(directory: string): string[] {
  const below = entriesOf(directory).filter((entry) => entry.isDirectory());
  return [directory, ...below.flatMap((entry) => directoriesOf(join(directory, entry.name)))];
}

/** Sorted by code units, so that the order is the same everywhere. */
function entriesOf(directory: string): Dirent[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .filter((entry) => !(entry.isDirectory() && SKIPPED_DIRECTORIES.includes(entry.name)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
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

/** Resolvers of the SDK, which make no handlers but those that can be listed. */
const BUILT_IN = ['explicit_mapping', 'class_lookup'];

function resolvedMethods(callables: readonly TemplateCallable[]): Record<string, string[]> {
  const methods: Record<string, string[]> = {};
  for (const { callable, method, resolver } of callables) {
    if (resolver !== null && !BUILT_IN.includes(resolver)) {
      methods[callable] = [...new Set([...(methods[callable] ?? ['call']), method ?? 'call'])];
    }
  }
  return methods;
}
