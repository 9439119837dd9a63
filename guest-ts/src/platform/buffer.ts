/**
 * `Buffer` of the library of that name, with the one encoding it lacks, `base64url`, and with UTF-8 done by the engine:
 * the library works on it character by character, in interpreted JavaScript.
 */

import { Buffer } from 'buffer/index.js';

type Method = (...args: unknown[]) => unknown;

const UTF8 = [undefined, null, '', 'utf8', 'utf-8', 'UTF8', 'UTF-8'] as unknown[];
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const isBase64Url = (encoding: unknown): boolean => String(encoding).toLowerCase() === 'base64url';
/** The library reads the characters of both alphabets. */
const readable = (encoding: unknown): unknown => (isBase64Url(encoding) ? 'base64' : encoding);

const type = Buffer as unknown as Record<'from' | 'isEncoding' | 'byteLength', Method>;
const { from, isEncoding, byteLength } = type;
type.from = (value, encoding, ...rest) =>
  typeof value === 'string' && UTF8.includes(encoding)
    ? from.call(Buffer, encoder.encode(value).buffer)
    : from.call(Buffer, value, readable(encoding), ...rest);
type.isEncoding = (encoding) => isBase64Url(encoding) || isEncoding.call(Buffer, encoding);
type.byteLength = (value, encoding) => byteLength.call(Buffer, value, readable(encoding));

const prototype = Buffer.prototype as unknown as Record<string, Method> & Uint8Array;
const libraryText = prototype.toString as (encoding?: unknown, start?: number, end?: number) => string;
Object.assign(prototype, {
  toString(this: Uint8Array, encoding?: unknown, start = 0, end = this.length): string {
    if (UTF8.includes(encoding)) {
      return decoder.decode(this.subarray(Math.max(0, start), Math.max(0, end)));
    }
    return isBase64Url(encoding)
      ? libraryText.call(this, 'base64', start, end).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
      : libraryText.call(this, encoding, start, end);
  },
});
for (const name of ['write', 'fill', 'indexOf', 'lastIndexOf', 'includes']) {
  const method = prototype[name] as Method;
  prototype[name] = function (this: unknown, ...args: unknown[]) {
    return method.apply(this, args.map(readable));
  };
}

export { Buffer };
