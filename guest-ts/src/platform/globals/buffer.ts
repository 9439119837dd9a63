/** The global `Buffer`; found by those too who look it up by name at run time. */

import { Buffer } from '../buffer.js';

Object.defineProperty(globalThis, 'Buffer', { value: Buffer, writable: true, configurable: true });

export { Buffer, Buffer as 'globalThis.Buffer', Buffer as 'global.Buffer' };
