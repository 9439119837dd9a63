/** The global `process`; found by those too who look it up by name at run time. */

import { process } from '../process.js';

Object.defineProperty(globalThis, 'process', { value: process, writable: true, configurable: true });

export { process, process as 'globalThis.process', process as 'global.process' };
