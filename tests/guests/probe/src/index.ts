/** Handlers that do what the task's context asks for, so that a test can bring a host into the state it wants to see. */

import {
  BatchableStepHandler,
  ErrorType,
  logInfo,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
  saveCheckpoint,
} from '@tasker-systems/tasker';

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

/** Decides what its step's configuration says. */
export class Decide extends StepHandler {
  static handlerName = 'probe.decide';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ decision_point_outcome: context.getConfig('outcome') });
  }
}

/** Cuts its work into as many batches as the task's context asks for. */
export class Cut extends StepHandler {
  static handlerName = 'probe.cut';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const batches: number = context.getInputOr('batches', 3);
    const cursors = Array.from({ length: batches }, (_, place) => ({
      batch_id: String(place + 1).padStart(3, '0'),
      start_cursor: place * 10,
      end_cursor: place * 10 + 10,
      batch_size: 10,
    }));
    return this.success({
      batch_processing_outcome: {
        type: 'create_batches',
        worker_template_name: context.getConfig('worker'),
        worker_count: batches,
        cursor_configs: cursors,
        total_items: batches * 10,
      },
    });
  }
}

/**
 * Counts to `items`, and stores after each how far it came: by turns it goes on from there, and begins anew. Its first
 * attempt fails half way.
 */
export class Count extends BatchableStepHandler {
  static handlerName = 'probe.count';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const items = context.getInputOr('items', 6);
    const counted = [...((context.accumulatedResults?.counted as number[] | undefined) ?? [])];
    while (counted.length < items) {
      if (counted.length >= items / 2 && !context.isRetry()) {
        return this.failure('half way', ErrorType.RETRYABLE_ERROR, true);
      }
      await new Promise((resolve) => setTimeout(resolve, context.getInputOr('ms', 10)));
      counted.push(counted.length);
      if (counted.length % 2 === 0) {
        return this.checkpointYield(counted.length, counted.length, { counted });
      }
      saveCheckpoint(counted.length, counted.length, { counted });
    }
    return this.success({ counted });
  }
}

/** Does nothing. */
export class Empty extends StepHandler {
  static handlerName = 'probe.empty';

  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}
