/** `node:util`. */

import { isDeepStrictEqual } from '../util/deep-equal.js';
import { format, formatWithOptions, inspect } from '../util/inspect.js';
import { callbackify, promisify } from '../util/promisify.js';
import * as types from '../util/types.js';

export { callbackify, format, formatWithOptions, inspect, isDeepStrictEqual, promisify, types };
export const { TextDecoder, TextEncoder } = globalThis;
export const { isArray } = Array;

type Class = { prototype: object; super_?: unknown };

export function inherits(type: Class, superType: Class): void {
  Object.defineProperty(type, 'super_', { value: superType, writable: true, configurable: true });
  Object.setPrototypeOf(type.prototype, superType.prototype);
}

/** Warns at the first call. */
export function deprecate<F extends (...args: never[]) => unknown>(deprecated: F, message: string, code?: string): F {
  let warned = false;
  return function (this: unknown, ...args: Parameters<F>): unknown {
    if (!warned) {
      warned = true;
      console.warn(`${code === undefined ? '' : `[${code}] `}DeprecationWarning: ${message}`);
    }
    return new.target === undefined ? deprecated.apply(this, args) : Reflect.construct(deprecated, args, new.target);
  } as F;
}

/** Is silent: a component is not started with `NODE_DEBUG`. */
export function debuglog(_section: string): ((...args: unknown[]) => void) & { enabled: boolean } {
  return Object.assign(() => {}, { enabled: false });
}
export { debuglog as debug };

export function stripVTControlCharacters(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\u001b\u009b][[\]()#;?]*(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~]/g, '');
}

export function toUSVString(text: unknown): string {
  return (String(text) as string & { toWellFormed(): string }).toWellFormed();
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}

export default {
  TextDecoder,
  TextEncoder,
  aborted,
  callbackify,
  debug: debuglog,
  debuglog,
  deprecate,
  format,
  formatWithOptions,
  inherits,
  inspect,
  isArray,
  isDeepStrictEqual,
  promisify,
  stripVTControlCharacters,
  toUSVString,
  types,
};
