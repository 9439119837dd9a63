/** Handlers that ask the orchestrator and publish events as the task's context says, and bring back what they read. */

import * as client from 'tasker:handler/client@0.1.0';
import { publish } from 'tasker:handler/events@0.1.0';
import { ErrorType, logInfo, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

/** The functions of the two imports by their names; each takes what a call's `arguments` are. */
const functions: Record<string, (...given: never[]) => string> = { ...client, publish };

interface Call {
  function: string;
  arguments: unknown[];
}

/** Makes `calls`, one after another. What went wrong is an answer like any other. */
export class Ask extends StepHandler {
  static handlerName = 'client.ask';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const calls = context.getInputOr<Call[]>('calls', []);
    const answers = calls.map(answer);
    logInfo('asked', { calls: calls.length });
    if (context.retryCount < context.getInputOr('failures', 0)) {
      return this.failure('not yet', ErrorType.RETRYABLE_ERROR, true, { answers });
    }
    return this.success({ answers });
  }
}

function answer(call: Call): unknown {
  const run = functions[call.function];
  if (run === undefined) {
    throw new TypeError(`there is no ${call.function}`);
  }
  try {
    const text = run(...(call.arguments as never[]));
    return call.function === 'publish' ? text : JSON.parse(text);
  } catch (error) {
    return { error: (error as { payload: unknown }).payload };
  }
}

/** Asks until it is stopped, whatever it reads. */
export class AskForEver extends StepHandler {
  static handlerName = 'client.ask_for_ever';

  async call(): Promise<StepHandlerResult> {
    for (;;) {
      try {
        client.healthCheck();
      } catch {
        // Not even an error stops it.
      }
    }
  }
}

/** What others ask for: brings back the input of its task. */
export class Errand extends StepHandler {
  static handlerName = 'client.errand';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ input: context.inputData });
  }
}
