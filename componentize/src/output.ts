/** The files of a built component, and how they come into being: whole or not at all, one build at a time. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceMap } from './bundle.js';
import type { Manifest } from './manifest.js';

/** What a build read, for the next one to compare. */
export interface BuildRecord {
  input_hash: string;
  component_bytes: number;
  files: string[];
}

export interface OutputPaths {
  directory: string;
  component: string;
  map: string;
  manifest: string;
  record: string;
}

export function outputPaths(packageDirectory: string, name: string): OutputPaths {
  const directory = join(packageDirectory, 'dist');
  return {
    directory,
    component: join(directory, `${name}.wasm`),
    map: join(directory, `${name}.wasm.map`),
    manifest: join(directory, `${name}.manifest.json`),
    record: join(directory, `.${name}.build.json`),
  };
}

/** The last build, if all its files are still there. */
export function lastBuild(paths: OutputPaths): { record: BuildRecord; manifest: Manifest } | null {
  try {
    const record = JSON.parse(readFileSync(paths.record, 'utf8')) as BuildRecord;
    const manifest = JSON.parse(readFileSync(paths.manifest, 'utf8')) as Manifest;
    const whole =
      manifest.input_hash === record.input_hash &&
      statSync(paths.component).size === record.component_bytes &&
      existsSync(paths.map);
    return whole ? { record, manifest } : null;
  } catch {
    return null;
  }
}

/** The manifest comes last: who finds it finds the rest. */
export async function writeOutput(
  paths: OutputPaths,
  component: Buffer,
  map: SourceMap,
  manifest: Manifest,
  files: string[],
): Promise<void> {
  const record: BuildRecord = { input_hash: manifest.input_hash, component_bytes: component.length, files };
  await rm(paths.manifest, { force: true });
  await replace(paths.component, component);
  await replace(paths.map, JSON.stringify(map));
  await replace(paths.record, JSON.stringify(record));
  await replace(paths.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function replace(path: string, content: string | Buffer): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}

/** No build takes this long: a lock that old was left behind. */
const LOCK_EXPIRY_MS = 15 * 60_000;
const LOCK_POLL_MS = 100;

/** Runs `work` while no other process builds into the directory. */
export async function locked<T>(
  paths: OutputPaths,
  onWait: (pid: string) => void,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await mkdir(paths.directory, { recursive: true });
  const lock = join(paths.directory, '.build.lock');
  let announced = false;
  while (!(await acquire(lock))) {
    const holder = await staleOrHolder(lock);
    if (holder && !announced) {
      announced = true;
      onWait(holder);
    }
    await sleep(LOCK_POLL_MS, undefined, signal && { signal });
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function acquire(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

/** Who holds the lock, empty while it is being written; null when it was left behind and has been taken away. */
async function staleOrHolder(lock: string): Promise<string | null> {
  try {
    const { mtimeMs } = await stat(lock);
    const holder = await readFile(lock, 'utf8');
    if (Date.now() - mtimeMs < LOCK_EXPIRY_MS && (holder === '' || isAlive(Number(holder)))) {
      return holder;
    }
    // Renaming lets one of several waiters win; a lock taken meanwhile by another is given back.
    const aside = `${lock}.${process.pid}`;
    await rename(lock, aside);
    if ((await readFile(aside, 'utf8')) === holder) {
      await rm(aside, { force: true });
    } else {
      await rename(aside, lock);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
