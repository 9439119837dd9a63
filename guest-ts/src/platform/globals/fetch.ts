/** The global `fetch`, following redirects. */

import { following } from '../fetch.js';

const { fetch: native } = globalThis;

Object.defineProperty(globalThis, 'fetch', {
  value: following((...request) => native(...request)),
  writable: true,
  configurable: true,
});
