/** The content of files, read and written at once. */

import type { Descriptor, DescriptorFlags, OpenFlags } from 'wasi:filesystem/types@0.2.12';
import { Buffer } from '../buffer.js';
import { attempt, FileError } from './errors.js';
import { type PathLike, place } from './place.js';

export type Encoding = string | null | undefined;
export interface FileOptions {
  encoding?: Encoding;
  flag?: string;
}
export type Content = string | ArrayBufferView;

/** Bytes that one call of the host reads or writes. */
export const CHUNK_BYTES = 65_536;

interface Opening {
  how: OpenFlags;
  flags: DescriptorFlags;
  append: boolean;
}

/** Flags of Node: what is opened how. */
const FLAGS: Readonly<Record<string, Opening>> = {
  r: { how: {}, flags: { read: true }, append: false },
  'r+': { how: {}, flags: { read: true, write: true }, append: false },
  w: { how: { create: true, truncate: true }, flags: { write: true }, append: false },
  wx: { how: { create: true, exclusive: true }, flags: { write: true }, append: false },
  a: { how: { create: true }, flags: { write: true }, append: true },
  ax: { how: { create: true, exclusive: true }, flags: { write: true }, append: true },
};

/** Passes a file to `work` and closes it. */
export function withFile<T>(path: PathLike, flag: string, work: (file: Descriptor, append: boolean) => T): T {
  const { how, flags, append } = FLAGS[flag.replace(/^(w|a)(x?)\+$/, '$1$2')] ?? invalidFlag(flag);
  const { directory, relative, path: name } = place(path, 'open');
  const file = attempt('open', name, () => directory.openAt({ symlinkFollow: true }, relative, how, flags));
  try {
    return work(file, append);
  } finally {
    close(file);
  }
}

/** As the bindings call it, which know an engine with and without the symbol. */
const DISPOSE: symbol = (Symbol as { dispose?: symbol }).dispose ?? Symbol.for('dispose');

/** Gives a handle back to the host, of which a call has not many. */
export function close(handle: object): void {
  (handle as Record<symbol, (() => void) | undefined>)[DISPOSE]?.();
}

function invalidFlag(flag: string): never {
  const message = `The argument 'flags' is invalid. Received '${flag}'`;
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

export const encodingOf = (options: FileOptions | Encoding): Encoding =>
  typeof options === 'object' ? options?.encoding : options;

const flagOf = (options: FileOptions | Encoding): string | undefined =>
  typeof options === 'object' ? options?.flag : undefined;

export function readFileSync(path: PathLike, options: { encoding: string; flag?: string } | string): string;
export function readFileSync(path: PathLike, options?: FileOptions | Encoding): Buffer | string;
export function readFileSync(path: PathLike, options?: FileOptions | Encoding): Buffer | string {
  const bytes = withFile(path, flagOf(options) ?? 'r', (file) => {
    const name = String(path);
    if (attempt('read', name, () => file.getType()) === 'directory') {
      throw new FileError('is-directory', 'read', name);
    }
    const chunks: Uint8Array[] = [];
    for (let at = 0; ; ) {
      const [chunk, end] = attempt('read', name, () => file.read(BigInt(CHUNK_BYTES), BigInt(at)));
      chunks.push(chunk);
      at += chunk.length;
      if (end || chunk.length === 0) {
        return Buffer.concat(chunks);
      }
    }
  });
  const encoding = encodingOf(options);
  return encoding ? bytes.toString(encoding) : bytes;
}

export function writeFileSync(path: PathLike, content: Content, options?: FileOptions | Encoding): void {
  const bytes = bytesOf(content, encodingOf(options) ?? 'utf8');
  withFile(path, flagOf(options) ?? 'w', (file, append) => {
    const start = append ? attempt('write', String(path), () => file.stat().size) : 0n;
    writeAt(file, String(path), bytes, start);
  });
}

export function appendFileSync(path: PathLike, content: Content, options?: FileOptions | Encoding): void {
  const encoding = encodingOf(options);
  writeFileSync(path, content, { flag: 'a', ...(encoding && { encoding }) });
}

/** Answers where the next byte goes. */
export function writeAt(file: Descriptor, path: string, bytes: Uint8Array, start: bigint): bigint {
  let rest = bytes;
  let at = start;
  while (rest.length > 0) {
    const written = attempt('write', path, () => file.write(rest.subarray(0, CHUNK_BYTES), at));
    at += written;
    rest = rest.subarray(Number(written));
  }
  return at;
}

export function bytesOf(content: Content, encoding: string): Uint8Array {
  if (typeof content === 'string') {
    return Buffer.from(content, encoding);
  }
  if (ArrayBuffer.isView(content)) {
    return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  }
  const message = 'The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView';
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}
