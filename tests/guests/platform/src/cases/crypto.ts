/** Digests, as Node makes them, and what is true of random values. */

import type cryptoModule from 'node:crypto';
import { tried } from './text.js';

export const crypto = (crypto: typeof cryptoModule) => {
  const algorithms = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'];
  const hash = crypto.createHash('sha256').update('a');
  const copy = hash.copy();
  const draws = Array.from({ length: 200 }, () => crypto.randomInt(3, 6));
  return {
    digests: algorithms.map((name) =>
      crypto
        .createHash(name)
        .update('grüße')
        .update(Buffer.from([0]))
        .digest('hex'),
    ),
    hmacs: algorithms.map((name) => crypto.createHmac(name, 'a key').update('text').digest('base64')),
    url: crypto.createHash('SHA-256').update('').digest('base64url'),
    hexInput: crypto.createHash('md5').update('616263', 'hex').digest('hex'),
    copied: [hash.digest('hex') === copy.digest('hex'), tried(() => hash.digest())],
    unknown: tried(() => crypto.createHash('sha2000')) === tried(() => crypto.createHash('sha1')),
    equal: [
      crypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ab')),
      crypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ac')),
      tried(() => crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('ab'))),
    ],
    bytes: [
      crypto.randomBytes(5).length,
      crypto.randomBytes(100_000).length,
      crypto.randomBytes(1) instanceof Uint8Array,
    ],
    uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
    different: new Set([crypto.randomUUID(), crypto.randomUUID()]).size,
    integers: [...new Set(draws)].sort(),
    range: tried(() => crypto.randomInt(5, 5)),
  };
};
