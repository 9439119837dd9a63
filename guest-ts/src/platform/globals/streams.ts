/** Streams of the web that are read with `for await` and made of what can be, which the engine's own are not. */

import { chunks, streamOf } from '../web-stream.js';

const { prototype } = ReadableStream;

for (const name of ['values', Symbol.asyncIterator]) {
  if (!(name in prototype)) {
    Object.defineProperty(prototype, name, {
      value(this: ReadableStream, options?: { preventCancel?: boolean }) {
        return chunks(this, options);
      },
      writable: true,
      configurable: true,
    });
  }
}

if (!('from' in ReadableStream)) {
  Object.defineProperty(ReadableStream, 'from', { value: streamOf, writable: true, configurable: true });
}
