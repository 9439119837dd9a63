/** Streams of the web: read with `for await`, made of what can be, between bytes and text. */

import { expect, it } from 'vitest';
import '../../src/platform/globals/streams.js';
import { TextDecoderStream, TextEncoderStream } from '../../src/platform/text-streams.js';
import { chunks, streamOf } from '../../src/platform/web-stream.js';

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

const all = async <T>(stream: ReadableStream<T>): Promise<T[]> => {
  const seen: T[] = [];
  for await (const chunk of chunks(stream)) {
    seen.push(chunk);
  }
  return seen;
};

it('a stream is made of what can be iterated over, as far as it is read', async () => {
  const asked: number[] = [];
  let ended = false;
  async function* counting() {
    try {
      for (let next = 1; ; next += 1) {
        asked.push(next);
        yield next;
      }
    } finally {
      ended = true;
    }
  }
  expect(await all(streamOf(['a', Promise.resolve('b')]))).toEqual(['a', 'b']);
  for await (const number of chunks(streamOf(counting()))) {
    if (number === 2) {
      break;
    }
  }
  expect(ended).toBe(true);
  // One ahead, which a stream holds ready.
  expect(asked.length).toBeLessThanOrEqual(3);
});

it('text that is cut anywhere becomes bytes, and the other way round', async () => {
  const bytes = [...new TextEncoder().encode('aä😀')].map((byte) => Uint8Array.of(byte));
  expect((await all(streamOf(bytes).pipeThrough(new TextDecoderStream() as never))).join('')).toBe('aä😀');

  const [high, low] = '😀'.split('');
  const encoded = await all<Uint8Array>(
    streamOf(['a', high, low, 'ä', high]).pipeThrough(new TextEncoderStream() as never),
  );
  expect(encoded.flatMap((part) => [...part])).toEqual([...new TextEncoder().encode('a😀ä\ufffd')]);

  const cut = streamOf([Uint8Array.of(0xc3)]).pipeThrough(new TextDecoderStream('utf-8', { fatal: true }) as never);
  await expect(all(cut)).rejects.toThrow(TypeError);
});
