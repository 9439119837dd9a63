/**
 * One handler call. This code runs as interpreted JavaScript in every step, so it does one `JSON.parse` of the
 * event, asks the resolver chain without promises where it can, and awaits nothing but the handler.
 */

import type { ExecutableHandler } from '../handler/step-handler.js';
import { HandlerInitError, ResolverNotFoundError } from '../registry/errors.js';
import type { HandlerDefinition } from '../registry/handler-definition.js';
import { type HandlerMethod, handlerMethod } from '../registry/method-dispatch.js';
import type { ResolverChain } from '../registry/resolver-chain.js';
import { StepContext } from '../types/step-context.js';
import { messageOf } from '../types/thrown.js';
import { outcomeOf, outcomeOfThrown } from './outcome.js';
import type { WitDispatchError, WitStepContext, WitStepOutcome } from './wit.js';

const NO_CALLABLE: WitStepOutcome = {
  tag: 'failure',
  val: {
    message: 'No handler name found in step definition',
    errorType: { tag: 'permanent-error' },
    errorCode: undefined,
    retryable: false,
    metadata: '{}',
    backtrace: [],
  },
};

/** @throws WitDispatchError when the call does not reach a handler; nothing else */
export async function dispatch(chain: ResolverChain, context: WitStepContext): Promise<WitStepOutcome> {
  const { callable, method, resolver } = context.handler;
  if (callable === '') {
    return NO_CALLABLE;
  }
  const step = stepContext(context.event, callable);
  const definition = {
    callable,
    method: method ?? null,
    resolver: resolver ?? null,
    initialization: step.stepConfig,
  };
  let invoke: HandlerMethod | null;
  let handler: ExecutableHandler | null;
  try {
    const found = chain.locate(definition);
    // No await where there is nothing to wait for: each costs a turn of the job queue.
    handler = found instanceof Promise ? await found : found;
    invoke = handler === null ? null : handlerMethod(handler, method || 'call');
  } catch (error) {
    throw dispatchError(error, definition);
  }
  if (handler === null) {
    throw { tag: 'handler-not-found', val: callable } satisfies WitDispatchError;
  }
  if (invoke === null) {
    throw { tag: 'method-not-found', val: [callable, method || 'call'] } satisfies WitDispatchError;
  }
  try {
    return outcomeOf(await invoke.call(handler, step), callable);
  } catch (error) {
    return outcomeOfThrown(error);
  }
}

function stepContext(text: string, callable: string): StepContext {
  try {
    const event = JSON.parse(text);
    if (typeof event === 'object' && event !== null && !Array.isArray(event)) {
      return StepContext.fromFfiEvent(event, callable);
    }
  } catch (error) {
    throw { tag: 'invalid-context', val: `the event cannot be read: ${messageOf(error)}` } satisfies WitDispatchError;
  }
  throw { tag: 'invalid-context', val: 'the event is not a JSON object' } satisfies WitDispatchError;
}

function dispatchError(error: unknown, definition: HandlerDefinition): WitDispatchError {
  if (error instanceof ResolverNotFoundError) {
    return { tag: 'resolver-not-found', val: error.resolverName };
  }
  const reason = error instanceof HandlerInitError ? `${error.message}: ${messageOf(error.cause)}` : messageOf(error);
  return { tag: 'handler-init-failed', val: `${definition.callable}: ${reason}` };
}
