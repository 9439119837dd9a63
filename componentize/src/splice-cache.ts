/**
 * Keeps what componentize-js makes of its engine and a WIT world before it looks at any handler. That is three of the
 * five seconds of making a component, and the same for every package with the same grants.
 *
 * A cache that cannot be read or written is none: the build is slower, not wrong.
 */

import { createHash, type Hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';

/** What the generator is called with. */
export type SpliceArguments = [
  engine: Uint8Array,
  features: string[],
  witSource: string | undefined,
  witPath: string,
  world: string,
  debug: boolean,
];

/** Entries kept, each some 10 MB: one for every set of grants in use. */
const MAX_ENTRIES = 8;
const SUFFIX = '.spliced';

/** Where the operating system wants a user's caches. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const base =
    env.XDG_CACHE_HOME ||
    (process.platform === 'win32' && env.LOCALAPPDATA) ||
    join(homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
  return join(base, 'tasker-componentize');
}

export function cached<T>(directory: string, args: SpliceArguments, generate: () => T): T {
  const file = join(directory, `${keyOf(args)}${SUFFIX}`);
  const known = attempt(() => {
    const value = deserialize(readFileSync(file)) as T;
    const now = new Date();
    utimesSync(file, now, now);
    return { value };
  });
  if (known !== null) {
    return known.value;
  }
  const value = generate();
  attempt(() => {
    mkdirSync(directory, { recursive: true });
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, serialize(value));
    renameSync(temporary, file);
    prune(directory);
  });
  return value;
}

function keyOf([engine, features, witSource, witPath, world, debug]: SpliceArguments): string {
  const hash = createHash('sha256').update(engine);
  hash.update(JSON.stringify([process.version, features, witSource, world, debug]));
  addFiles(hash, witPath);
  return hash.digest('hex').slice(0, 32);
}

function addFiles(hash: Hash, directory: string): void {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.wit'));
  for (const name of files.sort()) {
    const content = readFileSync(join(directory, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
}

/** The least recently used go. */
function prune(directory: string): void {
  const entries = readdirSync(directory)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => join(directory, name))
    .map((file) => ({ file, used: statSync(file).mtimeMs }))
    .sort((a, b) => b.used - a.used);
  for (const { file } of entries.slice(MAX_ENTRIES)) {
    rmSync(file, { force: true });
  }
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
