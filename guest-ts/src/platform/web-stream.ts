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
