/** The global `fetch`, following redirects; found by those too who look it up by name at run time. */

import { following } from '../fetch.js';

const { fetch: native } = globalThis;

const fetch: typeof globalThis.fetch = following((...request) => native(...request));

Object.defineProperty(globalThis, 'fetch', { value: fetch, writable: true, configurable: true });

export { fetch, fetch as 'global.fetch', fetch as 'globalThis.fetch', fetch as 'self.fetch' };
