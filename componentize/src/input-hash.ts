/**
 * What a component was built from, as one hash. A record beside it lists the files, so that the question "is it up to
 * date?" is answered by reading them, without the compiler.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Toolchain, toolchainFiles } from './toolchain.js';

/** Files of the package that decide what comes out, whether they exist or not. */
export const CONFIGURATION = ['package.json', 'tasker.toml', 'template.yaml', 'tsconfig.json'];

/**
 * @param sources the package's source files as found now, relative to it: a new one changes the hash
 * @param files absolute paths of what the build read
 */
export function inputHash(
  directory: string,
  sources: readonly string[],
  files: readonly string[],
  toolchain: Toolchain,
): string {
  const hash = createHash('sha256');
  const add = (name: string, content: string | Buffer) => {
    hash.update(`${name}\0${content.length}\0`).update(content);
  };
  add('versions', JSON.stringify([toolchain.sdk.version, toolchain.engine, toolchain.tool.version]));
  add('sources', JSON.stringify([...sources].sort()));
  const own = CONFIGURATION.map((name) => join(directory, name));
  const roots = [toolchain.sdk.root, toolchain.tool.root, directory];
  for (const file of [...new Set([...own, ...files, ...toolchainFiles(toolchain)])].sort()) {
    const root = roots.find((candidate) => file.startsWith(`${candidate}/`)) ?? directory;
    add(relative(root, file), existsSync(file) ? readFileSync(file) : 'absent');
  }
  return hash.digest('hex');
}

/** Stands for the hash of inputs that changed while they were built from: no inputs have it. */
export const CHANGED = '0'.repeat(64);

export function changedSince(time: number, files: readonly string[]): boolean {
  return files.some((file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY) > time);
}
