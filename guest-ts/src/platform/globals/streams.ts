/** Streams of the web that are read with `for await`, which the engine's own cannot be. */

import { chunks } from '../web-stream.js';

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
