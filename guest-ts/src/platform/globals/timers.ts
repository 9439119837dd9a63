/** The timers that the engine lacks. */

import { clearImmediate, setImmediate } from '../immediate.js';

for (const [name, value] of Object.entries({ setImmediate, clearImmediate })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
