/** `node:timers/promises`. */

export interface TimerOptions {
  signal?: AbortSignal;
  /** Nothing waits for a timer when a step has ended. */
  ref?: boolean;
}

/** As Node says it. */
class AbortError extends Error {
  readonly code = 'ABORT_ERR';
  override readonly name = 'AbortError';

  constructor(signal: AbortSignal) {
    super('The operation was aborted', { cause: signal.reason });
  }
}

export function setTimeout<T = void>(delay?: number, value?: T, { signal }: TimerOptions = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new AbortError(signal));
      return;
    }
    const abort = () => {
      clearTimeout(timer);
      reject(new AbortError(signal as AbortSignal));
    };
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve(value as T);
    }, delay ?? 1);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

export function setImmediate<T = void>(value?: T, options?: TimerOptions): Promise<T> {
  return setTimeout(0, value, options);
}

export async function* setInterval<T = void>(delay?: number, value?: T, options?: TimerOptions): AsyncGenerator<T> {
  for (;;) {
    yield await setTimeout(delay, value, options);
  }
}

export const scheduler = {
  wait: (delay: number, options?: TimerOptions): Promise<void> => setTimeout(delay, undefined, options),
  yield: (): Promise<void> => setImmediate(),
};

export default { setTimeout, setImmediate, setInterval, scheduler };
