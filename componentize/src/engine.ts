/**
 * Runs componentize-js in a process of its own: it blocks while it works, prints where it likes, and shortens source
 * paths by the working directory, which is the temporary directory there. The bundle's name in stack traces thereby
 * is its bare file name.
 */

import { fork } from 'node:child_process';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ASKED_WORLD, askedWorld } from './asked-imports.js';
import { BuildError } from './build-error.js';
import type { Bundle } from './bundle.js';
import type { Toolchain, World } from './toolchain.js';

/** Output kept of a failing engine, in characters: its last lines say why. */
const MAX_OUTPUT = 4000;

/** The engine could not initialise the bundle. */
export class EngineError extends BuildError {}

export interface EngineOptions {
  /** Interfaces beyond those of the world. */
  imports?: readonly string[];
  /** Ends the process. */
  signal?: AbortSignal;
}

/** The process has started when this returns: the caller may block meanwhile. */
export async function componentize(
  bundle: Bundle,
  world: World,
  toolchain: Toolchain,
  { imports = [], signal }: EngineOptions = {},
): Promise<Buffer> {
  signal?.throwIfAborted();
  const directory = mkdtempSync(join(tmpdir(), 'tasker-componentize-'));
  try {
    const source = join(directory, bundle.fileName);
    const component = join(directory, 'component.wasm');
    writeFileSync(source, bundle.code);
    const contract = imports.length > 0 ? extended(directory, world, toolchain, imports) : [toolchain.wit, world];
    await runChild(directory, [source, ...contract, component], signal);
    return await readFile(component);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A copy of the WIT package with one world more: its directory, and the world's name. */
function extended(directory: string, world: World, toolchain: Toolchain, imports: readonly string[]): string[] {
  const wit = join(directory, 'wit');
  cpSync(toolchain.wit, wit, { recursive: true });
  writeFileSync(join(wit, `${ASKED_WORLD}.wit`), askedWorld(world, imports));
  return [wit, ASKED_WORLD];
}

function runChild(directory: string, args: string[], signal: AbortSignal | undefined): Promise<void> {
  const child = fork(fileURLToPath(new URL('./engine-child.js', import.meta.url)), args, {
    cwd: directory,
    execArgv: [],
    // componentize-js makes its working directory in the system's temporary one and leaves it there when it fails.
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A group of its own, so that what it has started ends with it.
    detached: true,
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-MAX_OUTPUT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const end = () => endGroup(child.pid);
  signal?.addEventListener('abort', end, { once: true });
  return new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killed) => {
      if (code === 0) {
        resolve();
      } else {
        reject(
          signal?.aborted
            ? signal.reason
            : new EngineError('the engine could not initialise the component', lines(output, code, killed)),
        );
      }
    });
  }).finally(() => signal?.removeEventListener('abort', end));
}

function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) {
      process.kill(-leader, 'SIGTERM');
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

function lines(output: string, code: number | null, signal: string | null): string[] {
  const text = output.trim();
  const end = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return text === '' ? [`it ended with ${end} and said nothing`] : text.split('\n');
}
