/** `node:events`. */

import EventEmitter from 'events/events.js';

type Emitter = InstanceType<typeof EventEmitter>;

export const { once, defaultMaxListeners } = EventEmitter;
export const listenerCount = (emitter: Emitter, event: string | symbol): number => emitter.listenerCount(event);

export const errorMonitor: unique symbol = Symbol.for('events.errorMonitor') as never;
export const captureRejectionSymbol: unique symbol = Symbol.for('nodejs.rejection') as never;

/** What an emitter emits, from now on: ends with an error when that is emitted, or when it is aborted. */
export function on(
  emitter: Emitter,
  event: string | symbol,
  { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<unknown[]> {
  signal?.throwIfAborted();
  const waiting: unknown[][] = [];
  let failed: { error: unknown } | null = null;
  let wake = () => {};
  const fail = (error: unknown) => {
    failed ??= { error };
    wake();
  };
  const take = (...args: unknown[]) => {
    waiting.push(args);
    wake();
  };
  const abort = () => fail(signal?.reason);
  emitter.on(event, take);
  emitter.on('error', fail);
  signal?.addEventListener('abort', abort, { once: true });
  const stop = () => {
    emitter.off(event, take);
    emitter.off('error', fail);
    signal?.removeEventListener('abort', abort);
  };
  async function* events(): AsyncGenerator<unknown[]> {
    for (;;) {
      const next = waiting.shift();
      if (next !== undefined) {
        yield next;
      } else if (failed !== null) {
        stop();
        throw (failed as { error: unknown }).error;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  const iterator = events();
  const { return: end } = iterator;
  return Object.assign(iterator, {
    return(value: unknown) {
      stop();
      // Somebody may be waiting for an event that will not come.
      return end.call(iterator, value);
    },
  });
}

export function getEventListeners(emitter: Emitter, event: string | symbol): unknown[] {
  return emitter.listeners(event);
}

export function setMaxListeners(count: number, ...emitters: Emitter[]): void {
  for (const emitter of emitters) {
    emitter.setMaxListeners(count);
  }
}

Object.assign(EventEmitter, {
  captureRejectionSymbol,
  errorMonitor,
  getEventListeners,
  listenerCount,
  on,
  setMaxListeners,
});

export { EventEmitter };

export default EventEmitter;
