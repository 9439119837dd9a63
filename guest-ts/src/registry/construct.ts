import type { StepHandler, StepHandlerClass } from '../handler/step-handler.js';
import { HandlerInitError } from './errors.js';

/** True for anything a handler may be constructed from: a function with a string `handlerName`. */
export function isHandlerClass(value: unknown): value is StepHandlerClass {
  return typeof value === 'function' && typeof (value as Partial<StepHandlerClass>).handlerName === 'string';
}

/** @throws HandlerInitError with what the constructor threw */
export function construct(type: StepHandlerClass): StepHandler {
  try {
    return new type();
  } catch (error) {
    throw new HandlerInitError(`Failed to instantiate ${type.name}`, error);
  }
}

/** For who takes a handler that cannot be constructed for none: what its constructor threw goes to the console. */
export function orNone<T>(who: string, find: () => T | null): T | null {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof HandlerInitError)) {
      throw error;
    }
    console.error(`[${who}] ${error.message}:`, error.cause);
    return null;
  }
}
