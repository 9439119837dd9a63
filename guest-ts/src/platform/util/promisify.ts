/** From callbacks to promises and back. */

type Callback = (error: unknown, value?: unknown) => void;
// biome-ignore lint/suspicious/noExplicitAny: any function that takes a callback.
type AnyFunction = (...args: any[]) => any;

const custom: unique symbol = Symbol.for('nodejs.util.promisify.custom') as never;

export function promisify(original: AnyFunction & { [custom]?: AnyFunction }): AnyFunction {
  if (typeof original !== 'function') {
    throw Object.assign(new TypeError('The "original" argument must be of type function'), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
  const own = original[custom];
  if (own !== undefined) {
    return own;
  }
  function promised(this: unknown, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const callback: Callback = (error, value) => (error ? reject(error) : resolve(value));
      original.call(this, ...args, callback);
    });
  }
  Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
  return Object.defineProperties(promised, {
    ...Object.getOwnPropertyDescriptors(original),
    [custom]: { value: promised, configurable: true },
  });
}
promisify.custom = custom;

export function callbackify(original: (...args: never[]) => Promise<unknown>): AnyFunction {
  return function (this: unknown, ...args: unknown[]): void {
    const callback = args.pop() as Callback;
    Reflect.apply(original, this, args).then(
      (value: unknown) => queueMicrotask(() => callback(null, value)),
      (reason: unknown) => queueMicrotask(() => callback(reason || falsyReason(reason))),
    );
  };
}

/** A callback takes a falsy error for none. */
function falsyReason(reason: unknown): Error {
  const error = new Error('Promise was rejected with a falsy value');
  return Object.assign(error, { code: 'ERR_FALSY_VALUE_REJECTION', reason });
}
