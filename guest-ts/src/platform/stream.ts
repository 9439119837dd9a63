/** Streams of the library that Node's are published as, in a module of their own: they are big. */

import stream from 'readable-stream/lib/ours/browser.js';

type Iterable = AsyncIterable<unknown>;

async function* chunks(web: ReadableStream): AsyncGenerator<unknown> {
  const reader = web.getReader();
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

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
