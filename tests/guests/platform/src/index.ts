/** What a component has of Node, one handler an area. */

import assert from 'node:assert';
import crypto from 'node:crypto';
import EventEmitter, * as events from 'node:events';
import path from 'node:path';
import querystring from 'node:querystring';
import stream from 'node:stream';
import consumers from 'node:stream/consumers';
import decoder from 'node:string_decoder';
import timers from 'node:timers/promises';
import url from 'node:url';
import util from 'node:util';
import { defineHandler } from '@tasker-systems/tasker';
import * as async from './cases/async.js';
import * as digests from './cases/crypto.js';
import * as text from './cases/text.js';

export { Environment } from './environment.js';
export { Files } from './files.js';
export { Language } from './language.js';
export { Requests } from './requests.js';

/** Everything that Node answers alike. */
export const Alike = defineHandler('platform.alike', {}, async () => ({
  path: text.path(path),
  buffer: text.buffer(Buffer as never),
  url: text.url(url),
  querystring: text.querystring(querystring),
  decoder: text.decoder(decoder),
  util: text.util(util),
  events: text.events(EventEmitter),
  assert: text.assert(assert),
  crypto: digests.crypto(crypto),
  timers: await async.timers(timers),
  streams: await async.streams(stream),
  consumers: await async.consumers(consumers),
  callbacks: await async.callbacks(util),
  emitted: await async.emitted(events as never),
}));
