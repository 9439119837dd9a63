/**
 * Runs a function whose yields may be promises: at once where none is, so that a publisher with plain hooks answers
 * like a plain function. A promise is waited for, and its value or its rejection is what the yield gives.
 */
export function syncOrAsync<T>(steps: Generator<unknown, T, HookValue>): T | Promise<T> {
  const advance = (step: IteratorResult<unknown, T>): T | Promise<T> => {
    let current = step;
    while (!current.done) {
      const { value } = current;
      if (isThenable(value)) {
        return Promise.resolve(value).then(
          (settled) => advance(steps.next(settled)),
          (error) => advance(steps.throw(error)),
        );
      }
      current = steps.next(value);
    }
    return current.value;
  };
  return advance(steps.next());
}

/** What a hook gave; whoever reads it knows which hook it was. */
// biome-ignore lint/suspicious/noExplicitAny: the type of a yield cannot depend on what was yielded
export type HookValue = any;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Hooks get an Error whatever was thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
