/** `node:buffer`. */

import { INSPECT_MAX_BYTES, kMaxLength, SlowBuffer } from 'buffer/index.js';
import { Buffer } from '../buffer.js';

const { atob, Blob, btoa, File } = globalThis;
const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 0x3fffffff };
const kStringMaxLength = constants.MAX_STRING_LENGTH;

const bytesOf = (input: ArrayBuffer | Uint8Array) => (input instanceof Uint8Array ? input : new Uint8Array(input));

function isAscii(input: ArrayBuffer | Uint8Array): boolean {
  return bytesOf(input).every((byte) => byte < 0x80);
}

function isUtf8(input: ArrayBuffer | Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(input));
    return true;
  } catch {
    return false;
  }
}

export {
  atob,
  Blob,
  Buffer,
  btoa,
  constants,
  File,
  INSPECT_MAX_BYTES,
  isAscii,
  isUtf8,
  kMaxLength,
  kStringMaxLength,
  SlowBuffer,
};

export default {
  Buffer,
  SlowBuffer,
  Blob,
  File,
  atob,
  btoa,
  constants,
  INSPECT_MAX_BYTES,
  isAscii,
  isUtf8,
  kMaxLength,
  kStringMaxLength,
};
