import { type DefinedHandler, defineStep, type HandlerFn, type HandlerOptions } from './define.js';

/** A step handler made of a function. */
export function defineHandler(name: string, options: HandlerOptions, fn: HandlerFn): DefinedHandler {
  return defineStep(name, options, fn);
}
