/** The timers that the engine lacks; found by those too who look them up by name at run time. */

import { clearImmediate, setImmediate } from '../immediate.js';

Object.assign(globalThis, { setImmediate, clearImmediate });

export {
  clearImmediate,
  clearImmediate as 'global.clearImmediate',
  clearImmediate as 'globalThis.clearImmediate',
  setImmediate,
  setImmediate as 'global.setImmediate',
  setImmediate as 'globalThis.setImmediate',
};
