/** Streams of the web, from and to iterables. */

/** What comes out of a stream of the web, one chunk after another. Whoever stops before its end cancels it. */
export async function* chunks<T>(
  stream: ReadableStream<T>,
  { preventCancel = false }: { preventCancel?: boolean } = {},
): AsyncGenerator<T> {
  const reader = stream.getReader();
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      yield value as T;
    }
  } finally {
    if (!preventCancel) {
      await reader.cancel();
    }
    reader.releaseLock();
  }
}

/** A stream of what an iterable has, asked for as it is read. */
export function streamOf<T>(source: AsyncIterable<T> | Iterable<T>): ReadableStream<T> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) {
        controller.close();
      } else {
        controller.enqueue(await value);
      }
    },
    async cancel(reason) {
      await iterator.return?.(reason);
    },
  });
}
