/** Streams of the web as `for await` reads them. */

import { expect, it } from 'vitest';
import '../../src/platform/globals/streams.js';
import { chunks } from '../../src/platform/web-stream.js';

function numbers(upTo: number): { stream: ReadableStream<number>; cancelled: () => boolean } {
  let next = 0;
  let cancelled = false;
  const stream = new ReadableStream<number>({
    pull(controller) {
      next += 1;
      if (next > upTo) {
        controller.error(new RangeError('no more'));
      } else {
        controller.enqueue(next);
      }
    },
    cancel() {
      cancelled = true;
    },
  });
  return { stream, cancelled: () => cancelled };
}

it.each<[string, (stream: ReadableStream<number>) => AsyncIterable<number>]>([
  ['by itself', (stream) => stream as unknown as AsyncIterable<number>],
  ['in chunks', (stream) => chunks(stream)],
])('a stream is read %s, and cancelled by whoever stops', async (_how, read) => {
  const { stream, cancelled } = numbers(5);
  const seen: number[] = [];
  for await (const number of read(stream)) {
    seen.push(number);
    if (number === 3) {
      break;
    }
  }
  expect([seen, cancelled(), stream.locked]).toEqual([[1, 2, 3], true, false]);
});

it('a stream goes on where it was not to be cancelled', async () => {
  const { stream, cancelled } = numbers(5);
  for await (const _ of chunks(stream, { preventCancel: true })) {
    break;
  }
  expect(cancelled()).toBe(false);
  expect(await stream.getReader().read()).toEqual({ done: false, value: 2 });
});

it('a stream that fails throws what it failed with', async () => {
  const read = async () => {
    const seen: number[] = [];
    for await (const number of chunks(numbers(2).stream)) {
      seen.push(number);
    }
    return seen;
  };
  await expect(read()).rejects.toThrow(new RangeError('no more'));
});

it('the body of an answer is a stream to its end', async () => {
  const parts: string[] = [];
  for await (const part of new Response('abc').body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(new TextDecoder().decode(part));
  }
  expect(parts.join('')).toBe('abc');
});
