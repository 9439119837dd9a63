/** Handlers that reach out of a sandbox that grants them nothing. */

import { entries } from 'tasker:handler/config@0.1.0';
import { cancellationRequested, remainingMs } from 'tasker:handler/execution@0.1.0';
import { logInfo } from '@tasker-systems/tasker';
import { done, hostile } from './handler.js';

type Globals = Record<string, unknown>;

/** Looks for the host's environment. */
export const ReadEnvironment = hostile('read_environment', async () => {
  const { process, require, Deno, Bun } = globalThis as Globals;
  return done({ process: typeof process, require: typeof require, deno: typeof Deno, bun: typeof Bun });
});

/** Looks for ways out other than requests. */
export const LookForDoors = hostile('look_for_doors', () => {
  const doors = ['WebSocket', 'XMLHttpRequest', 'EventSource', 'Worker', 'WebAssembly', 'SharedArrayBuffer', 'Atomics'];
  const globals = globalThis as Globals;
  return done({ open: doors.filter((name) => globals[name] !== undefined) });
});

/** Loads modules that nobody bundled. */
export const ImportAtRunTime = hostile('import_at_run_time', async () => {
  const outcomes: string[] = [];
  for (const specifier of [
    'node:fs',
    'file:///etc/passwd',
    'https://example.com/x.js',
    'wasi:cli/environment@0.2.12',
  ]) {
    const load = new Function('specifier', 'return import(specifier)') as (specifier: string) => Promise<unknown>;
    outcomes.push(
      await load(specifier).then(
        () => 'loaded',
        () => 'refused',
      ),
    );
  }
  return done({ outcomes });
});

/** Reaches for the network, which nobody granted. */
export const Fetch = hostile('fetch', async (context) => {
  const response = await fetch(context.getInputOr('url', 'http://127.0.0.1:1/'));
  return done({ status: response.status });
});

/** Reaches for the network again and again, whatever it is told. */
export const FetchStorm = hostile('fetch_storm', async () => {
  let refused = 0;
  for (let round = 0; round < 10_000; round += 1) {
    await fetch(`http://host-${round}.example/`).catch(() => {
      refused += 1;
    });
  }
  return done({ refused });
});

/** Addresses that are none. */
export const FetchNonsense = hostile('fetch_nonsense', async () => {
  const urls = [
    'file:///etc/passwd',
    'data:text/plain,x',
    'ftp://127.0.0.1/',
    'unix:/var/run/docker.sock',
    'about:blank',
  ];
  const outcomes = await Promise.all(
    urls.map((url) =>
      fetch(url).then(
        ({ status }) => status,
        () => 'refused',
      ),
    ),
  );
  return done({ outcomes });
});

/** Says what the host tells a guest: its settings and the facts about the call. */
export const ReadHost = hostile('read_host', async (context) => {
  logInfo('reading the host', { attempt: context.retryCount });
  return done({
    settings: Object.fromEntries(entries().map(([key, value]) => [key, JSON.parse(value)])),
    remaining_ms: remainingMs(),
    cancellation_requested: cancellationRequested(),
  });
});
