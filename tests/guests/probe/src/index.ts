/** Handlers that do what the task's context asks for, so that a test can bring a host into the state it wants to see. */

import { ErrorType, logInfo, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

/** Waits `ms` without computing. */
export class Sleep extends StepHandler {
  static handlerName = 'probe.sleep';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const ms = context.getInputOr('ms', 10);
    logInfo('sleeping', { ms });
    await new Promise((resolve) => setTimeout(resolve, ms));
    return this.success({ ms });
  }
}

/** Fails in a way that may be tried again until `failures` attempts are spent. */
export class Flaky extends StepHandler {
  static handlerName = 'probe.flaky';

  async call(context: StepContext): Promise<StepHandlerResult> {
    if (context.retryCount < context.getInputOr('failures', 1)) {
      return this.failure(`not yet, attempt ${context.retryCount}`, ErrorType.RETRYABLE_ERROR, true);
    }
    return this.success({ attempts: context.retryCount });
  }
}

/** Fails for good. */
export class Refuse extends StepHandler {
  static handlerName = 'probe.refuse';

  async call(): Promise<StepHandlerResult> {
    return this.failure('no', ErrorType.PERMANENT_ERROR, false, { asked: true }, 'E_NO');
  }
}

/** Gives back what it was called with. */
export class Echo extends StepHandler {
  static handlerName = 'probe.echo';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ event: context.event });
  }
}
