/** Files as streams: a chunk at a time, however big they are. */

import type { Descriptor } from 'wasi:filesystem/types@0.2.12';
import { Buffer } from '../buffer.js';
import stream from '../stream.js';
import { bytesOf, CHUNK_BYTES, type Encoding, withFile, writeAt } from './content.js';
import { attempt } from './errors.js';
import type { PathLike } from './place.js';

export interface ReadStreamOptions {
  encoding?: Encoding;
  /** First and last byte, from 0. */
  start?: number;
  end?: number;
  highWaterMark?: number;
  signal?: AbortSignal;
}
export interface WriteStreamOptions {
  encoding?: Encoding;
  /** `w`, or `a` to append. */
  flags?: string;
  start?: number;
  highWaterMark?: number;
}

/** What a stream of the library passes to the functions below. */
interface Reading {
  push(chunk: Uint8Array | null): boolean;
}
type Done = (error?: unknown) => void;
const settle = (done: Done, work: () => void): void => {
  try {
    work();
  } catch (error) {
    done(error);
    return;
  }
  done();
};

/** The file is opened for each chunk: a stream that nobody ends holds nothing. */
export function createReadStream(path: PathLike, options?: ReadStreamOptions | string): object {
  const {
    encoding,
    start = 0,
    end = Infinity,
    highWaterMark = CHUNK_BYTES,
    signal,
  } = typeof options === 'string' ? { encoding: options } : (options ?? {});
  let at = start;
  const readable = new stream.Readable({
    highWaterMark,
    ...(encoding && { encoding }),
    ...(signal && { signal }),
    read(this: Reading & { destroy(error: unknown): void }) {
      try {
        const chunk = at > end ? null : readAt(path, at, Math.min(highWaterMark, end - at + 1));
        at += chunk?.length ?? 0;
        this.push(chunk);
      } catch (error) {
        this.destroy(error);
      }
    },
  });
  return Object.defineProperties(readable as object, {
    path: { value: path, enumerable: true },
    bytesRead: { get: () => at - start },
  });
}

/** Null at the end. */
function readAt(path: PathLike, at: number, length: number): Uint8Array | null {
  return withFile(path, 'r', (file: Descriptor) => {
    const [chunk] = attempt('read', String(path), () => file.read(BigInt(length), BigInt(at)));
    return chunk.length === 0 ? null : Buffer.from(chunk);
  });
}

export function createWriteStream(path: PathLike, options?: WriteStreamOptions | string): object {
  const {
    encoding = 'utf8',
    flags = 'w',
    start,
    highWaterMark,
  } = typeof options === 'string' ? { encoding: options } : (options ?? {});
  let at = 0n;
  let written = 0;
  const writable = new stream.Writable({
    defaultEncoding: encoding,
    decodeStrings: false,
    ...(highWaterMark !== undefined && { highWaterMark }),
    construct(done: Done) {
      settle(done, () => {
        withFile(path, start === undefined ? flags : 'r+', (file, append) => {
          at = append ? attempt('write', String(path), () => file.stat().size) : BigInt(start ?? 0);
        });
      });
    },
    write(chunk: string | Uint8Array, its: string, done: Done) {
      settle(done, () => {
        const bytes = bytesOf(chunk, its);
        withFile(path, 'r+', (file) => {
          at = writeAt(file, String(path), bytes, at);
          written += bytes.length;
        });
      });
    },
  });
  return Object.defineProperties(writable as object, {
    path: { value: path, enumerable: true },
    bytesWritten: { get: () => written },
  });
}
