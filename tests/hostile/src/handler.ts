/** How the handlers of this package are written: a name, and the function that misbehaves. */

import { type DefinedHandler, type StepContext, StepHandler, StepHandlerResult } from '@tasker-systems/tasker';

/**
 * A handler named `hostile.<name>`. What the function returns or throws reaches the SDK as it is.
 */
export function hostile(name: string, call: (context: StepContext) => unknown): DefinedHandler {
  return class extends StepHandler {
    static handlerName = `hostile.${name}`;

    call(context: StepContext): Promise<StepHandlerResult> {
      return call(context) as Promise<StepHandlerResult>;
    }
  };
}

export const done = (result: Record<string, unknown> = {}): StepHandlerResult => StepHandlerResult.success(result);

/** So much text, in pieces: one long text would take the engine seventy times its size to quote. */
export const megabytes = (count: number): string[] => new Array(count * 1_000).fill('x'.repeat(1_000));

/** Runs `attempt` and says how it ended, for handlers that try what should not work and go on. */
export function tried(attempt: () => unknown): string {
  try {
    return `done: ${String(attempt())}`;
  } catch (error) {
    return `refused: ${messageOf(error)}`;
  }
}

function messageOf(error: unknown): string {
  const { payload, message } = error as { payload?: unknown; message?: unknown };
  return typeof payload === 'string' ? payload : String(message);
}
