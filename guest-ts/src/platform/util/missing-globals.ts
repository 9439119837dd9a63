/**
 * Node's code for showing values takes a list of globals apart when it loads, and stops at one that the engine is built
 * without. An empty one stands in for it that long.
 */

const scope = globalThis as { Atomics?: unknown };

const isMissing = scope.Atomics === undefined;
if (isMissing) {
  Object.defineProperty(scope, 'Atomics', { value: {}, configurable: true });
}

/** To be called when the code is loaded. */
export function removeStandIns(): void {
  if (isMissing) {
    delete scope.Atomics;
  }
}
