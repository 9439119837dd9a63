/**
 * The methods handlers get from the SDK, as bases and mixins give them. Templates may name a handler's methods, and
 * these are not among them: they are not written to be called with a step.
 */

const helpers = new WeakSet<object>();

/** Marks every function an object owns. */
export function markAsHelpers(owner: object): void {
  for (const { value } of Object.values(Object.getOwnPropertyDescriptors(owner))) {
    if (typeof value === 'function') {
      helpers.add(value);
    }
  }
}

export function isHelper(method: object): boolean {
  return helpers.has(method);
}
