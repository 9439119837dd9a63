/** What comes of waiting, streams and callbacks. */

import type eventsModule from 'node:events';
import type streamModule from 'node:stream';
import type consumersModule from 'node:stream/consumers';
import type timersModule from 'node:timers/promises';
import type utilModule from 'node:util';

export async function timers(timers: typeof timersModule) {
  const ticks: unknown[] = [];
  for await (const tick of timers.setInterval(1, 'tick')) {
    ticks.push(tick);
    if (ticks.length === 3) {
      break;
    }
  }
  const aborted = timers
    .setTimeout(10_000, 'late', { signal: AbortSignal.abort('given up') })
    .catch(({ name, code }) => [name, code]);
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      order.push('immediate');
      resolve();
    });
    process.nextTick((text: string) => order.push(text), 'tick');
    order.push('now');
  });
  return {
    ticks,
    order,
    value: [await timers.setTimeout(1, 'value'), await timers.setImmediate('soon'), await timers.scheduler.wait(1)],
    aborted: await aborted,
  };
}

export async function streams(stream: typeof streamModule) {
  const { Readable, Transform, Writable } = stream;
  const { pipeline } = stream.promises;
  const written: string[] = [];
  const shout = new Transform({
    transform(chunk, _encoding, done) {
      done(null, String(chunk).toUpperCase());
    },
  });
  const sink = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  await pipeline(Readable.from(['a', 'b', 'c']), shout, sink);
  const read: unknown[] = [];
  for await (const chunk of Readable.from([{ n: 1 }, { n: 2 }])) {
    read.push(chunk);
  }
  const failing = new Readable({
    read() {
      this.destroy(new RangeError('the source fails'));
    },
  });
  const failed = await pipeline(failing, new Writable({ write: (_chunk, _encoding, done) => done() })).catch(
    (error) => `${error.name}: ${error.message}`,
  );
  return { written, read, failed };
}

export async function consumers({ arrayBuffer, blob, buffer, json, text }: typeof consumersModule) {
  const parts = () => new Blob(['{"a":', '"ä"}']).stream() as never;
  async function* words() {
    yield 'a';
    yield new TextEncoder().encode('ä');
  }
  return {
    text: [await text(parts()), await text(words() as never)],
    json: await json(parts()),
    bytes: [(await buffer(parts())).length, (await arrayBuffer(parts())).byteLength, (await blob(parts())).size],
  };
}

export async function callbacks(util: typeof utilModule) {
  const later = (value: number, callback: (error: Error | null, value?: number) => void) => {
    setTimeout(() => (value < 0 ? callback(new RangeError('negative')) : callback(null, value * 2)), 1);
  };
  const promised = util.promisify(later);
  const called = util.callbackify(async (value: number) => value + 1);
  return {
    promised: await promised(4),
    refused: await promised(-1).catch((error) => error.message),
    called: await new Promise((resolve) => called(1, (error, value) => resolve([error, value]))),
  };
}

export async function emitted({ EventEmitter, on, once }: typeof eventsModule) {
  const emitter = new EventEmitter();
  setTimeout(() => {
    emitter.emit('one', 1);
    emitter.emit('many', 2);
    emitter.emit('many', 3);
  }, 1);
  const many = on(emitter, 'many');
  const one = await once(emitter, 'one');
  return { one, many: [(await many.next()).value, (await many.next()).value], left: await many.return?.() };
}
