/** Handlers that throw, each something else. */

import { PermanentError, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';
import { hostile } from './handler.js';

class ReactorError extends Error {}

function explode(what: string): never {
  throw new ReactorError(what);
}

/** An error of a class of its own, from a function of its own. */
export class ThrowError extends StepHandler {
  static handlerName = 'hostile.throw_error';

  async call(): Promise<StepHandlerResult> {
    return explode('boom');
  }
}

/** An error that says it is no use trying again. */
export const ThrowPermanent = hostile('throw_permanent', async () => {
  throw new PermanentError('no use trying again', { account: 'A-1' });
});

/** A string. */
export const ThrowString = hostile('throw_string', async () => {
  throw 'just a string';
});

/** Nothing at all. */
export const ThrowUndefined = hostile('throw_undefined', async () => {
  throw undefined;
});

/** Something that throws wherever it is touched. */
export const ThrowTrap = hostile('throw_trap', async () => {
  const touch = () => {
    throw new Error('touched');
  };
  throw new Proxy(
    {},
    { get: touch, has: touch, getPrototypeOf: touch, getOwnPropertyDescriptor: touch, ownKeys: touch },
  );
});

/** A promise that nobody awaits, and that fails. */
export const RejectUnseen = hostile('reject_unseen', async () => {
  void Promise.reject(new Error('nobody looks'));
  await null;
  return { success: true, result: { seen: false } };
});

/** A timer's callback that throws, where no handler is on the stack. */
export const ThrowInTimer = hostile('throw_in_timer', async () => {
  setTimeout(() => {
    throw new Error('from a timer');
  }, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { success: true, result: {} };
});

/** Fails where it is made. */
export class ThrowInConstructor extends StepHandler {
  static handlerName = 'hostile.throw_in_constructor';

  constructor() {
    super();
    throw new Error('no handler today');
  }

  async call(_context: StepContext): Promise<StepHandlerResult> {
    return this.success({});
  }
}
