/**
 * Modules that need what a sandbox does not have, each with what to do instead. A package's own file that imports one
 * fails its build; a dependency that does may never use it, so there the module throws when something of it is called.
 */

const PROGRAMS = 'a sandbox starts no programs: let a service run them, and call it with fetch';
const THREADS = 'a step has one thread: a batch runs many steps side by side';
const SOCKETS = 'a sandbox opens no sockets: use fetch';
const HTTP = 'use fetch, or a client that is built on it, such as axios';
const CODE = 'a component holds all its code when it is built: import what is to run';
const INSPECTION = 'the host measures every step and keeps its log: look with `tasker-wasm-host task show`';
const TERMINAL = 'a step has no terminal: its input is the task, its output the result';
const DATABASE =
  'a sandbox holds no database: keep state in results and checkpoints, or in a service called with fetch';
const COMPRESSION = 'use CompressionStream and DecompressionStream';
const CONTEXT = 'promises carry no context in the engine: pass it on as an argument';
const NAMES = 'the host resolves the names of requests: use fetch';

const INSTEAD: Readonly<Record<string, string>> = {
  async_hooks: CONTEXT,
  child_process: PROGRAMS,
  cluster: THREADS,
  worker_threads: THREADS,
  dgram: SOCKETS,
  net: SOCKETS,
  tls: SOCKETS,
  dns: NAMES,
  'dns/promises': NAMES,
  http: HTTP,
  http2: HTTP,
  https: HTTP,
  module: CODE,
  repl: CODE,
  vm: CODE,
  wasi: CODE,
  inspector: INSPECTION,
  'inspector/promises': INSPECTION,
  trace_events: INSPECTION,
  v8: INSPECTION,
  readline: TERMINAL,
  'readline/promises': TERMINAL,
  tty: TERMINAL,
  sqlite: DATABASE,
  zlib: COMPRESSION,
};

const OTHER = 'a component does not have it';

/** What to do instead of importing this module of Node, named without `node:`. */
export function insteadOf(name: string): string {
  return INSTEAD[name] ?? OTHER;
}

/** What to do instead of loading a native addon. */
export const INSTEAD_OF_ADDON = 'a component runs no machine code: use a package that is all JavaScript';
