/**
 * The same questions to Node's modules and to ours. What both answer is kept, and asked of a real component too
 * (`tests/tests/platform.rs`).
 */

import nodeAssert from 'node:assert';
import { Buffer as NodeBuffer } from 'node:buffer';
import nodeCrypto from 'node:crypto';
import nodeEvents from 'node:events';
import nodePath from 'node:path';
import nodeQuerystring from 'node:querystring';
import nodeStream from 'node:stream';
import nodeConsumers from 'node:stream/consumers';
import nodeDecoder from 'node:string_decoder';
import nodeTimers from 'node:timers/promises';
import nodeUrl from 'node:url';
import nodeUtil from 'node:util';
import { expect, it } from 'vitest';
import * as waiting from '../../../tests/guests/platform/src/cases/async.js';
import * as digests from '../../../tests/guests/platform/src/cases/crypto.js';
import * as text from '../../../tests/guests/platform/src/cases/text.js';
import { Buffer } from '../../src/platform/buffer.js';
import assert from '../../src/platform/node/assert.js';
import crypto from '../../src/platform/node/crypto.js';
import EventEmitter from '../../src/platform/node/events.js';
import path from '../../src/platform/node/path.js';
import querystring from '../../src/platform/node/querystring.js';
import consumers from '../../src/platform/node/stream/consumers.js';
import stream from '../../src/platform/node/stream.js';
import decoder from '../../src/platform/node/string_decoder.js';
import timers from '../../src/platform/node/timers/promises.js';
import url from '../../src/platform/node/url.js';
import util from '../../src/platform/node/util.js';

const AREAS: Record<string, [ask: (module: never) => unknown, node: unknown, ours: unknown]> = {
  path: [text.path, nodePath, path],
  buffer: [text.buffer, NodeBuffer, Buffer],
  url: [text.url, nodeUrl, url],
  querystring: [text.querystring, nodeQuerystring, querystring],
  decoder: [text.decoder, nodeDecoder, decoder],
  util: [text.util, nodeUtil, util],
  events: [text.events, nodeEvents, EventEmitter],
  assert: [text.assert, nodeAssert, assert],
  crypto: [digests.crypto, nodeCrypto, crypto],
  timers: [waiting.timers, nodeTimers, timers],
  streams: [waiting.streams, nodeStream, stream],
  consumers: [waiting.consumers, nodeConsumers, consumers],
  callbacks: [waiting.callbacks, nodeUtil, util],
  emitted: [waiting.emitted, nodeEvents, EventEmitter],
};

/** As a result of a step is stored. */
const stored = (value: unknown) => JSON.parse(JSON.stringify(value));

it.each(Object.entries(AREAS))('%s: a component answers as Node does', async (_area, [ask, node, ours]) => {
  expect(stored(await ask(ours as never))).toEqual(stored(await ask(node as never)));
});

it('what Node answers is what the component is held to', async () => {
  const answers: Record<string, unknown> = {};
  for (const [area, [ask, node]] of Object.entries(AREAS)) {
    answers[area] = await ask(node as never);
  }
  await expect(`${JSON.stringify(answers, null, 2)}\n`).toMatchFileSnapshot(
    '../../../tests/guests/platform/expected/alike.json',
  );
});
