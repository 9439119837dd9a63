/** Random values, drawn by the engine. */

import { Buffer } from '../buffer.js';

type Callback<T> = (error: Error | null, value: T) => void;

/** Most the engine draws at once. */
const MAX_BYTES = 65_536;
/** Beyond it, Node refuses a range. */
const MAX_RANGE = 2 ** 48 - 1;

export const randomUUID = (): string => crypto.randomUUID();

export function randomFillSync<T extends ArrayBufferView>(view: T, offset = 0, size = view.byteLength - offset): T {
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset + offset, size);
  for (let at = 0; at < bytes.length; at += MAX_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + MAX_BYTES));
  }
  return view;
}

export function randomFill<T extends ArrayBufferView>(view: T, ...rest: [...number[], Callback<T>]): void {
  const callback = rest.pop() as Callback<T>;
  answer(callback, () => randomFillSync(view, ...(rest as number[])));
}

export function randomBytes(size: number): Buffer;
export function randomBytes(size: number, callback: Callback<Buffer>): void;
export function randomBytes(size: number, callback?: Callback<Buffer>): Buffer | undefined {
  return callback ? answer(callback, () => randomBytes(size)) : randomFillSync(Buffer.alloc(size));
}

/** A whole number of `[min, max)`, all equally likely. */
export function randomInt(...args: [...number[], Callback<number>] | number[]): number | undefined {
  const callback = typeof args.at(-1) === 'function' ? (args.pop() as Callback<number>) : undefined;
  const [min, max] = (args.length > 1 ? args : [0, ...args]) as [number, number];
  const range = max - min;
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || range <= 0 || range > MAX_RANGE) {
    const message = `The range from ${min} to ${max} must hold 1 to ${MAX_RANGE} whole numbers`;
    throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }
  const draw = () => {
    // Values beyond the last whole multiple of the range would favour small results.
    const limit = MAX_RANGE + 1 - ((MAX_RANGE + 1) % range);
    for (;;) {
      const drawn = randomBytes(6).readUIntBE(0, 6);
      if (drawn < limit) {
        return min + (drawn % range);
      }
    }
  };
  return callback ? answer(callback, draw) : draw();
}

function answer<T>(callback: Callback<T>, make: () => T): undefined {
  const value = make();
  queueMicrotask(() => callback(null, value));
}
