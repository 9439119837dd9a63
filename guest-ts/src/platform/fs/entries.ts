/** Files and directories themselves: what there is, made, moved and removed. */

import type { Descriptor, DescriptorType } from 'wasi:filesystem/types@0.2.12';
import { CHUNK_BYTES, close, withFile, writeAt } from './content.js';
import { attempt, FileError, isAbsent } from './errors.js';
import { aboveMounts, absolute, type PathLike, type Place, place } from './place.js';
import { Dirent, Stats } from './stats.js';

export const constants = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4, COPYFILE_EXCL: 1 };

export interface StatOptions {
  throwIfNoEntry?: boolean;
}
export interface ReaddirOptions {
  withFileTypes?: boolean;
  recursive?: boolean;
}
export interface RmOptions {
  force?: boolean;
  recursive?: boolean;
}

export function existsSync(path: PathLike): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}

export function accessSync(path: PathLike, mode = constants.F_OK): void {
  status(path, 'access', true);
  if (mode & constants.W_OK) {
    const { directory, path: name } = place(path, 'access');
    // A directory that may only be read is opened so: its files cannot be written either.
    if (!attempt('access', name, () => directory.getFlags()).mutateDirectory) {
      throw new FileError('access', 'access', name);
    }
  }
}

export function statSync(path: PathLike, options: StatOptions & { throwIfNoEntry: false }): Stats | undefined;
export function statSync(path: PathLike, options?: StatOptions): Stats;
export function statSync(path: PathLike, { throwIfNoEntry = true }: StatOptions = {}): Stats | undefined {
  return unlessAbsent(throwIfNoEntry, () => status(path, 'stat', true));
}

export function lstatSync(path: PathLike, options: StatOptions & { throwIfNoEntry: false }): Stats | undefined;
export function lstatSync(path: PathLike, options?: StatOptions): Stats;
export function lstatSync(path: PathLike, { throwIfNoEntry = true }: StatOptions = {}): Stats | undefined {
  return unlessAbsent(throwIfNoEntry, () => status(path, 'lstat', false));
}

function status(path: PathLike, syscall: string, symlinkFollow: boolean): Stats {
  if (aboveMounts(path).length > 0) {
    return new Stats({ type: 'directory' });
  }
  const { directory, relative, path: name } = place(path, syscall);
  return new Stats(attempt(syscall, name, () => directory.statAt({ symlinkFollow }, relative)));
}

function unlessAbsent<T>(throwing: boolean, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (throwing || !isAbsent(error)) {
      throw error;
    }
    return undefined;
  }
}

export function readdirSync(path: PathLike, options: ReaddirOptions & { withFileTypes: true }): Dirent[];
export function readdirSync(path: PathLike, options?: ReaddirOptions | string | null): string[];
export function readdirSync(path: PathLike, options?: ReaddirOptions | string | null): string[] | Dirent[] {
  const { withFileTypes = false, recursive = false } = typeof options === 'object' ? (options ?? {}) : {};
  const root = absolute(path);
  const found = list(root, recursive);
  if (withFileTypes) {
    return found;
  }
  const prefix = root === '/' ? 1 : root.length + 1;
  return found.map(({ parentPath, name }) => join(parentPath, name).slice(prefix));
}

function list(path: string, recursive: boolean): Dirent[] {
  const entries = entriesOf(path).map(([name, type]) => new Dirent(name, path, type));
  return recursive
    ? entries.flatMap((entry) => [entry, ...(entry.isDirectory() ? list(join(path, entry.name), true) : [])])
    : entries;
}

function entriesOf(path: string): Array<[name: string, type: DescriptorType]> {
  const above = aboveMounts(path);
  if (above.length > 0) {
    return above.map((name) => [name, 'directory']);
  }
  return within(path, 'scandir', (directory) => {
    const stream = attempt('scandir', path, () => directory.readDirectory());
    const found: Array<[string, DescriptorType]> = [];
    try {
      for (;;) {
        const entry = attempt('scandir', path, () => stream.readDirectoryEntry());
        if (entry === undefined) {
          return found.sort(([a], [b]) => (a < b ? -1 : 1));
        }
        found.push([entry.name, entry.type]);
      }
    } finally {
      close(stream);
    }
  });
}

/** Passes a directory to `work` and closes it. */
function within<T>(path: string, syscall: string, work: (directory: Descriptor) => T): T {
  const { directory, relative } = place(path, syscall);
  const opened = attempt(syscall, path, () =>
    directory.openAt({ symlinkFollow: true }, relative, { directory: true }, { read: true }),
  );
  try {
    return work(opened);
  } finally {
    close(opened);
  }
}

/** Answers the first directory that was made, where several may be. */
export function mkdirSync(path: PathLike, options?: { recursive?: boolean } | number): string | undefined {
  const recursive = typeof options === 'object' && options.recursive === true;
  const target = absolute(path);
  if (!recursive) {
    make(place(path, 'mkdir'));
    return undefined;
  }
  const missing: string[] = [];
  for (let at = target; !existsSync(at); at = parentOf(at)) {
    missing.unshift(at);
    // Nothing above a granted directory can be made.
    place(at, 'mkdir');
  }
  if (missing.length === 0 && !statSync(target).isDirectory()) {
    throw new FileError('exist', 'mkdir', target);
  }
  for (const each of missing) {
    make(place(each, 'mkdir'));
  }
  return missing[0];
}

function make({ directory, relative, path }: Place): void {
  attempt('mkdir', path, () => directory.createDirectoryAt(relative));
}

export function mkdtempSync(prefix: string): string {
  const made = `${prefix}${crypto.randomUUID().slice(0, 6)}`;
  mkdirSync(made);
  return made;
}

export function unlinkSync(path: PathLike): void {
  const { directory, relative, path: name } = place(path, 'unlink');
  attempt('unlink', name, () => directory.unlinkFileAt(relative));
}

export function rmdirSync(path: PathLike): void {
  const { directory, relative, path: name } = place(path, 'rmdir');
  attempt('rmdir', name, () => directory.removeDirectoryAt(relative));
}

export function rmSync(path: PathLike, { force = false, recursive = false }: RmOptions = {}): void {
  const target = absolute(path);
  const stats = unlessAbsent(!force, () => lstatSync(target));
  if (stats === undefined) {
    return;
  }
  if (!stats.isDirectory()) {
    unlinkSync(target);
    return;
  }
  if (!recursive) {
    const message = `Path is a directory: rm returned EISDIR (is a directory) ${target}`;
    throw Object.assign(new Error(message), { code: 'ERR_FS_EISDIR', path: target, syscall: 'rm' });
  }
  for (const name of readdirSync(target)) {
    rmSync(join(target, name), { force, recursive });
  }
  rmdirSync(target);
}

export function renameSync(from: PathLike, to: PathLike): void {
  const [source, target] = [place(from, 'rename'), place(to, 'rename')];
  attempt('rename', source.path, () => source.directory.renameAt(source.relative, target.directory, target.relative));
}

export function copyFileSync(from: PathLike, to: PathLike, mode = 0): void {
  withFile(from, 'r', (source) =>
    withFile(to, mode & constants.COPYFILE_EXCL ? 'wx' : 'w', (target) => {
      for (let at = 0n; ; ) {
        const [chunk, end] = attempt('copyfile', String(from), () => source.read(BigInt(CHUNK_BYTES), at));
        at = writeAt(target, String(to), chunk, at);
        if (end || chunk.length === 0) {
          return;
        }
      }
    }),
  );
}

export function truncateSync(path: PathLike, length = 0): void {
  withFile(path, 'r+', (file) => attempt('ftruncate', String(path), () => file.setSize(BigInt(length))));
}

/** Links are resolved by the host: the path itself, when it leads somewhere. */
export function realpathSync(path: PathLike): string {
  statSync(path);
  return absolute(path);
}

const join = (directory: string, name: string): string => `${directory === '/' ? '' : directory}/${name}`;
const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));
