/** `node:perf_hooks`: the clock, and what the engine has to mark and measure. */

import { unsupported } from '../unsupported.js';

const NO_OBSERVER = 'read performance.getEntries() where the engine keeps them, or measure with performance.now()';

const { performance } = globalThis;
const PerformanceObserver = unsupported('PerformanceObserver', NO_OBSERVER);
const monitorEventLoopDelay = unsupported('perf_hooks#monitorEventLoopDelay', NO_OBSERVER);
const constants = {};

export { constants, monitorEventLoopDelay, PerformanceObserver, performance };

export default { constants, monitorEventLoopDelay, PerformanceObserver, performance };
