/** How the handlers of this package are written: a name, and the function that oversteps what was granted. */

import { type DefinedHandler, type StepContext, StepHandler, StepHandlerResult } from '@tasker-systems/tasker';

/**
 * A handler named `granted.<name>`. What the function returns is its result.
 */
export function granted(name: string, call: (context: StepContext) => unknown): DefinedHandler {
  return class extends StepHandler {
    static handlerName = `granted.${name}`;

    async call(context: StepContext): Promise<StepHandlerResult> {
      return StepHandlerResult.success((await call(context)) as Record<string, unknown>);
    }
  };
}

/** How an attempt ended that should have been refused. */
export function tried(attempt: () => unknown): string {
  try {
    return `done: ${String(attempt())}`;
  } catch (error) {
    const { payload, message } = error as { payload?: unknown; message?: unknown };
    const said = typeof payload === 'object' && payload !== null ? (payload as { message?: unknown }).message : payload;
    return `refused: ${String(said ?? message)}`;
  }
}

/** {@link tried} for each of these; a result cannot have a NUL, not even in a key. */
export function triedAll(inputs: readonly string[], attempt: (input: string) => unknown): Record<string, string> {
  return Object.fromEntries(inputs.map((input) => [input.replaceAll('\u0000', '<nul>'), tried(() => attempt(input))]));
}
