/** The three forms in which Node offers a function of files; the host answers at once in all of them. */

// biome-ignore lint/suspicious/noExplicitAny: any function at all.
type AnyFunction = (...args: any[]) => unknown;

export function promised<F extends AnyFunction>(sync: F): (...args: Parameters<F>) => Promise<ReturnType<F>> {
  return async (...args) => sync(...args) as ReturnType<F>;
}

export function withCallback(sync: AnyFunction): (...args: unknown[]) => void {
  return (...args) => {
    const callback = args.pop() as (error: unknown, value?: unknown) => void;
    promised(sync)(...args).then(
      (value) => queueMicrotask(() => callback(null, value)),
      (error) => queueMicrotask(() => callback(error)),
    );
  };
}
