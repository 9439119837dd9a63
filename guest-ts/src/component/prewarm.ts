/**
 * Pays, while the component is built, what every fresh instance would pay again: the engine creates built-in
 * constructors and compiles functions at their first use, and the snapshot keeps both.
 *
 * The builder adds `taskerWarmUp` to the engine's bindings: it makes a call as the host will, from the bytes of a step
 * context to the bytes of an outcome. Both global objects ("realms") get warm, the bindings' own and the handlers'. The
 * call ends in the handler below: nobody's code but ours runs.
 */

import { StepHandler } from '../handler/step-handler.js';
import { ExplicitMappingResolver } from '../registry/explicit-mapping.js';
import { ResolverChain } from '../registry/resolver-chain.js';
import type { StepContext } from '../types/step-context.js';
import { StepHandlerResult } from '../types/step-handler-result.js';
import { dispatch } from './dispatch.js';
import { warmHostLog } from './host-log.js';
import { outcomeOf } from './outcome.js';
import type { WitHandlers } from './wit.js';

type Call = (handle: WitHandlers['handle'], callable: string, event: string) => unknown;

/** Makes a call of `handle` through the bindings, with a callable and an event; the rest of the context is made up. */
interface WarmUp {
  /** Resolves when the call is over. */
  now: Call;
  /** Makes the call when the engine has collected its garbage, the last thing before the snapshot. */
  last: Call;
}

class WarmHandler extends StepHandler {
  static override handlerName = 'prewarm';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const number = context.getInputOr('number', 2) + (context.getDependencyResult<{ n: number }>('a')?.n ?? 0);
    if (number > 2) {
      throw new Error(`warm ${number.toString()}`);
    }
    return this.success({ number, list: [1, 2].map((item) => item * number), text: 'warm'.slice(1) }, { warm: true });
  }
}

/** Suspends its call for good: what is awaited in the last warm-up would go on in every instance. */
class SuspendingHandler extends WarmHandler {
  static override handlerName = 'prewarm.suspend';

  override call(context: StepContext): Promise<StepHandlerResult> {
    super.call(context);
    return new Promise(() => {});
  }
}

export async function prewarm(): Promise<void> {
  const builder = globalThis as { taskerWarmUp?: WarmUp };
  const warmUp = builder.taskerWarmUp;
  if (warmUp === undefined) {
    return;
  }
  delete builder.taskerWarmUp;
  const explicit = new ExplicitMappingResolver();
  explicit.register(WarmHandler.handlerName, WarmHandler);
  explicit.register(SuspendingHandler.handlerName, SuspendingHandler);
  const chain = ResolverChain.withResolvers([explicit]);
  try {
    for (const number of [2, 2, 3]) {
      await warmUp.now((context) => dispatch(chain, context), WarmHandler.handlerName, warmEvent(number));
    }
  } catch {
    // A cold component is as right as a warm one.
  }
  const handle: WitHandlers['handle'] = (context) => {
    warmHostLog();
    outcomeOf(StepHandlerResult.success({ number: 2 }, { warm: true }), context.handler.callable);
    return dispatch(chain, context);
  };
  warmUp.last(handle, SuspendingHandler.handlerName, warmEvent(2));
}

/**
 * An event as the host writes it, key for key: the engine keeps a hidden class for each order of keys it has parsed,
 * and an event laid out otherwise would leave the real ones to be made in every step.
 */
function warmEvent(number: number): string {
  const uuid = '00000000-0000-0000-0000-000000000000';
  const time = '2000-01-01T00:00:00.000000Z';
  return JSON.stringify({
    eventId: uuid,
    taskUuid: uuid,
    stepUuid: uuid,
    correlationId: uuid,
    task: {
      taskUuid: uuid,
      name: 'warm',
      namespace: 'warm',
      version: '1.0.0',
      context: { number },
      correlationId: uuid,
      priority: 0,
      initiator: 'warm',
      sourceSystem: 'warm',
      reason: 'warm',
      tags: ['warm'],
      createdAt: time,
    },
    workflowStep: {
      workflowStepUuid: uuid,
      name: 'warm',
      retryable: true,
      attempts: 0,
      maxAttempts: 3,
      inputs: {},
      createdAt: time,
    },
    stepDefinition: {
      name: 'warm',
      description: null,
      dependencies: ['a'],
      timeoutSeconds: null,
      handlerCallable: WarmHandler.handlerName,
      handlerMethod: null,
      handlerResolver: null,
      handlerInitialization: {},
      retryable: true,
      maxAttempts: 3,
      backoff: 'exponential',
      backoffBaseMs: 1000,
      maxBackoffMs: 30000,
    },
    dependencyResults: { a: { stepUuid: uuid, success: true, status: 'completed', result: { n: 0 } } },
  });
}
