/**
 * `process`, as far as a component has one. Libraries look at it to find out where they run, so it says what it is: no
 * version of Node, platform `wasi`. The environment belongs to a call and is read when somebody looks, never while the
 * component is built.
 */

import { VERSION } from '../version.js';
import { environment } from './denied/environment.js';
import { unsupported } from './unsupported.js';

type Callback = (...args: unknown[]) => void;

let values: Record<string, string> | null = null;

const memory = { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };

export function hrtime(since?: readonly [number, number]): [seconds: number, nanoseconds: number] {
  const now = hrtime.bigint() - (since === undefined ? 0n : BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]));
  return [Number(now / 1_000_000_000n), Number(now % 1_000_000_000n)];
}
hrtime.bigint = (): bigint => BigInt(Math.round(performance.now() * 1_000_000));

/** Text goes to the log, line by line. */
const outputTo = (write: (text: string) => void) => ({
  isTTY: false,
  write(text: unknown): boolean {
    write(String(text).replace(/\n$/, ''));
    return true;
  },
});

export const process = {
  get env(): Record<string, string> {
    values ??= environment();
    return values;
  },
  title: 'tasker-guest',
  pid: 1,
  ppid: 0,
  platform: 'wasi',
  arch: 'wasm32',
  /** That of the SDK: older than whatever a library would switch on by it. */
  version: `v${VERSION}`,
  versions: { tasker_guest: VERSION },
  release: { name: 'tasker-guest' },
  features: {},
  config: {},
  argv: ['tasker-guest'],
  argv0: 'tasker-guest',
  execArgv: [] as string[],
  execPath: '/tasker-guest',
  exitCode: undefined as number | undefined,
  stdout: outputTo((text) => console.log(text)),
  stderr: outputTo((text) => console.error(text)),
  cwd: () => '/',
  chdir: unsupported('process.chdir', 'name files by absolute paths'),
  umask: () => 0o22,
  hrtime,
  uptime: () => performance.now() / 1000,
  memoryUsage: Object.assign(() => ({ ...memory }), { rss: () => 0 }),
  cpuUsage: () => ({ user: 0, system: 0 }),
  nextTick(callback: Callback, ...args: unknown[]): void {
    queueMicrotask(() => callback(...args));
  },
  emitWarning(warning: unknown): void {
    console.warn(warning instanceof Error ? `${warning.name}: ${warning.message}` : `Warning: ${String(warning)}`);
  },
  exit: unsupported('process.exit', 'return a result, or throw an error, to end the step'),
  abort: unsupported('process.abort', 'throw an error to end the step'),
  kill: unsupported('process.kill', 'there are no other processes'),
  binding: unsupported('process.binding', 'there is no Node below'),
  // No signal and no event of a process ever comes: who listens is taken on and never called.
  on: listening,
  once: listening,
  off: listening,
  addListener: listening,
  removeListener: listening,
  removeAllListeners: listening,
  prependListener: listening,
  prependOnceListener: listening,
  setMaxListeners: listening,
  emit: () => false,
  listeners: () => [] as Callback[],
  listenerCount: () => 0,
};

function listening(): typeof process {
  return process;
}
