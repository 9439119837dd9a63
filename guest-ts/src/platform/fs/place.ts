/** From a path to the granted directory that holds it. */

import path from 'path-browserify';
import { Buffer } from '../buffer.js';
import { mounts } from '../denied/mounts.js';
import type { Mount } from '../mount.js';
import { fileURLToPath } from '../node/url.js';
import { FileError } from './errors.js';

export type PathLike = string | URL | Uint8Array;

export interface Place {
  directory: Mount['directory'];
  /** Relative to the directory. */
  relative: string;
  /** Absolute. */
  path: string;
}

let granted: Mount[] | null = null;

/** The granted directories: those of a call, so nobody asks before there is one. */
export function grantedMounts(): Mount[] {
  granted ??= mounts().sort((a, b) => b.path.length - a.path.length);
  return granted;
}

export function absolute(name: PathLike): string {
  const text =
    name instanceof URL ? fileURLToPath(name) : typeof name === 'string' ? name : Buffer.from(name).toString();
  return path.posix.resolve('/', text);
}

/** @throws FileError ENOENT when no granted directory holds it */
export function place(name: PathLike, syscall: string): Place {
  const found = absolute(name);
  const mount = grantedMounts().find((each) => isWithin(found, each.path));
  if (mount === undefined) {
    const paths = grantedMounts().map((each) => each.path);
    const granted = paths.length > 0 ? paths.join(', ') : 'nothing; ask for mounts in tasker.toml';
    throw new FileError('no-entry', syscall, found, ` (granted: ${granted})`);
  }
  return { directory: mount.directory, relative: path.posix.relative(mount.path, found) || '.', path: found };
}

/** Names of the granted directories, and of those above them, that stand right below one that is none. */
export function aboveMounts(name: PathLike): string[] {
  const prefix = `${absolute(name)}/`.replace('//', '/');
  const below = grantedMounts().filter((mount) => mount.path.startsWith(prefix));
  return [...new Set(below.map((mount) => mount.path.slice(prefix.length).split('/')[0] as string))].sort();
}

function isWithin(file: string, directory: string): boolean {
  return file === directory || file.startsWith(`${directory}/`);
}
