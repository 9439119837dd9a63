/** Streams of the library that Node's are published as, in a module of their own: they are big. */

import stream from 'readable-stream/lib/ours/browser.js';
import { chunks } from './web-stream.js';

type Iterable = AsyncIterable<unknown>;

// The library makes no streams of the web from its own, nor the other way round.
Object.assign(stream.Readable, {
  fromWeb: (web: ReadableStream, options?: object) => stream.Readable.from(chunks(web), options),
  toWeb(readable: Iterable): ReadableStream {
    const source = readable[Symbol.asyncIterator]();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await source.next();
        if (done) {
          controller.close();
        } else {
          controller.enqueue(value);
        }
      },
      async cancel() {
        await source.return?.();
      },
    });
  },
});

export default stream;
