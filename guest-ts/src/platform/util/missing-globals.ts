/**
 * Node's code for showing values takes a list of built-ins apart when it loads, and stops at one that the engine is
 * built without. Something stands in for each that long; the code keeps what it took, and uses it to measure the width
 * of text.
 */

const STAND_INS: ReadonlyArray<readonly [owner: object, name: string, value: unknown]> = [
  [globalThis, 'Atomics', {}],
  [
    String.prototype,
    'normalize',
    function (this: string) {
      return String(this);
    },
  ],
];

const missing = STAND_INS.filter(([owner, name]) => !(name in owner));
for (const [owner, name, value] of missing) {
  Object.defineProperty(owner, name, { value, configurable: true });
}

/** To be called when the code is loaded. */
export function removeStandIns(): void {
  for (const [owner, name] of missing) {
    Reflect.deleteProperty(owner, name);
  }
}
