import { routeTo, skip } from '../decision/results.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
import { type DefinedHandler, defineStep, type HandlerArgs, type HandlerOptions } from './define.js';

type Data = Record<string, unknown>;

/** What the function of a decision handler returns. */
export class Decision {
  readonly type: 'create_steps' | 'no_branches';
  readonly steps: string[];
  readonly reason: string | undefined;
  readonly routingContext: Data;

  private constructor(type: Decision['type'], steps: string[], reason: string | undefined, routingContext: Data) {
    this.type = type;
    this.steps = steps;
    this.reason = reason;
    this.routingContext = routingContext;
  }

  /** The named steps come into being. */
  static route(steps: string[], routingContext: Data = {}): Decision {
    return new Decision('create_steps', steps, undefined, routingContext);
  }

  /** No step comes into being. */
  static skip(reason: string, routingContext: Data = {}): Decision {
    return new Decision('no_branches', [], reason, routingContext);
  }
}

/** The handler of a decision step, made of a function. */
export function defineDecisionHandler(
  name: string,
  options: HandlerOptions,
  fn: (args: HandlerArgs) => Promise<Decision | StepHandlerResult> | Decision | StepHandlerResult,
): DefinedHandler {
  const decider = { name, version: options.version ?? '1.0.0' };
  const run = async (args: HandlerArgs) => {
    const returned = await fn(args);
    if (!(returned instanceof Decision)) {
      return returned;
    }
    return returned.type === 'create_steps'
      ? routeTo(decider, returned.steps, returned.routingContext)
      : skip(decider, returned.reason ?? '', returned.routingContext);
  };
  return defineStep(name, options, run, ['process', 'decision', 'routing']);
}
