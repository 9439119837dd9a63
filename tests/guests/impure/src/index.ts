/**
 * A module whose top level cannot be kept in a snapshot: each value must be the running instance's own, not the one
 * of the build. The component is therefore initialised in the first call.
 */

import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

const random = Math.random();
const loadedAt = Date.now();
const uuid = crypto.randomUUID();
const timer = new Promise<string>((resolve) => setTimeout(() => resolve('fired'), 1));

export class Show extends StepHandler {
  static handlerName = 'impure.show';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({
      random,
      loaded_at: loadedAt,
      uuid,
      timer: await timer,
      called_at: Date.now(),
      attempt: context.retryCount,
    });
  }
}
