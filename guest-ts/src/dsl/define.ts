/** Handler classes made of functions. */

import { StepHandler } from '../handler/step-handler.js';
import type { StepContext } from '../types/step-context.js';
import { StepHandlerResult } from '../types/step-handler-result.js';
import { failureOf } from './failure.js';

/** The class a `define...` function returns: export it, and the build finds it. */
export type DefinedHandler = (new () => StepHandler) & typeof StepHandler;

/** What a handler made of a function gets of the step, by the function's parameters. */
export interface HandlerOptions {
  /** Steps this one depends on, by the parameter that gets their result; `null` for a missing one. */
  depends?: Record<string, string>;
  /** Keys of the task's context, by the parameter that gets their value. */
  inputs?: Record<string, string>;
  /** Default `1.0.0`. */
  version?: string;
}

/** What a handler's function is called with: what its options name, and the step's context. */
export type HandlerArgs = Record<string, unknown> & { context: StepContext };

/**
 * The function of a handler. An object it returns is the step's result, nothing stands for an empty one, any other
 * value goes into `result`; a `StepHandlerResult` is passed on as it is. What it throws becomes a failure.
 */
export type HandlerFn = (args: HandlerArgs) => unknown;

/** A step handler made of a function. */
export function defineHandler(name: string, options: HandlerOptions, fn: HandlerFn): DefinedHandler {
  return defineStep(name, options, fn);
}

/**
 * What all `define...` functions come to.
 *
 * @param run returns what `resultOf` makes a result of; gets the handler too
 * @param equip gives a new handler what it has beside `call`
 */
export function defineStep(
  name: string,
  options: HandlerOptions,
  run: (args: HandlerArgs, handler: StepHandler) => unknown,
  capabilities: readonly string[] = ['process'],
  equip: (handler: StepHandler) => void = () => {},
): DefinedHandler {
  const { depends = {}, inputs = {}, version = '1.0.0' } = options;

  class Defined extends StepHandler {
    static override handlerName = name;
    static override handlerVersion = version;

    constructor() {
      super();
      equip(this);
    }

    override get capabilities(): string[] {
      return [...capabilities];
    }

    async call(context: StepContext): Promise<StepHandlerResult> {
      try {
        return resultOf(await run(argumentsOf(context, depends, inputs), this));
      } catch (error) {
        return failureOf(error);
      }
    }
  }
  Object.defineProperty(Defined, 'name', { value: name });
  return Defined;
}

function argumentsOf(
  context: StepContext,
  depends: Record<string, string>,
  inputs: Record<string, string>,
): HandlerArgs {
  const args: HandlerArgs = { context };
  for (const [parameter, step] of Object.entries(depends)) {
    args[parameter] = context.getDependencyResult(step);
  }
  for (const [parameter, key] of Object.entries(inputs)) {
    args[parameter] = context.getInput(key);
  }
  return args;
}

function resultOf(returned: unknown): StepHandlerResult {
  if (returned instanceof StepHandlerResult) {
    return returned;
  }
  if (returned === null || returned === undefined) {
    return StepHandlerResult.success({});
  }
  const isObject = typeof returned === 'object' && !Array.isArray(returned);
  return StepHandlerResult.success(isObject ? (returned as Record<string, unknown>) : { result: returned });
}
