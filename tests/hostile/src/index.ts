/** Handlers that misbehave, each in one way, one file a kind; and one that behaves. The host has to survive them all. */

import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

export * from './allocating.js';
export * from './checkpoints.js';
export * from './forging.js';
export * from './logs.js';
export * from './reaching.js';
export * from './recursion.js';
export * from './results.js';
export * from './spinning.js';
export * from './state.js';
export * from './throwing.js';

/** Well behaved: what the host runs after each of the others. */
export class Echo extends StepHandler {
  static handlerName = 'hostile.echo';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ input: context.inputData, attempt: context.retryCount });
  }

  /** Reached by `method: shout`. */
  async shout(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ input: JSON.stringify(context.inputData).toUpperCase() });
  }
}
