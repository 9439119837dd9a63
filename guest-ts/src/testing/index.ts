/**
 * Runs a handler in a test, under vitest or any other runner, the way a component runs it: found by its name, called
 * with what survives JSON, its result or its error turned into what the host gets.
 *
 * ```ts
 * const run = await runHandler(ChargeHandler, { input: { order_id: 7 }, dependencies: { validate: { total: 12 } } });
 * expect(run).toMatchObject({ success: true, result: { charged: 12 } });
 * expect(run.logs).toContainEqual({ level: 'info', message: 'charged', fields: { order_id: 7 } });
 * ```
 *
 * What a handler asks the host for is stood in for by `setClientRuntime` and `setEventRuntime`, and `fetch` by whatever
 * the runner has for globals.
 */

import type { Progress } from '../checkpoint/progress.js';
import { currentCheckpointRuntime, restoreCheckpointRuntime } from '../checkpoint/save.js';
import { dispatch } from '../component/dispatch.js';
import type { WitCheckpointYield, WitDispatchError, WitErrorType, WitStepOutcome } from '../component/wit.js';
import { currentLoggingRuntime, type LogFields, type LogMethod, restoreLoggingRuntime } from '../logging/index.js';
import { ExplicitMappingResolver, type HandlerEntry } from '../registry/explicit-mapping.js';
import { ResolverChain } from '../registry/resolver-chain.js';
import { type StepOptions, stepEvent } from './event.js';

export type { StepOptions } from './event.js';

/** What the handler is to see, and which of its methods is run. */
export interface RunOptions extends StepOptions {
  /** The method a template would name; default `call`. */
  method?: string;
}

/** What a call came to. */
export interface HandlerRun {
  /** Also when it yielded a checkpoint. */
  success: boolean;
  /** What the step's result becomes; `null` for a failure or a checkpoint. */
  result: Record<string, unknown> | null;
  metadata: Record<string, unknown>;
  error: RunError | null;
  /** The progress it yielded, when it did. */
  checkpoint: RunCheckpoint | null;
  /** The progress it saved while it ran. */
  saved: RunCheckpoint[];
  /** What it logged, in order, on every level. */
  logs: RunLog[];
}

/** What the step fails with. */
export interface RunError {
  message: string;
  /** Such as `permanent_error`, or the class of what was thrown. */
  type: string;
  code: string | null;
  retryable: boolean;
}

/** Progress, as the host stores it. */
export interface RunCheckpoint {
  cursor: unknown;
  itemsProcessed: number;
  accumulatedResults: Record<string, unknown> | null;
}

/** A log record. */
export interface RunLog {
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: LogFields;
}

/**
 * @param handler its class, what a `define...` function returned, or an instance
 * @throws Error when the call does not reach the handler: it cannot be constructed, or has no such method
 */
export async function runHandler(handler: HandlerEntry, options: RunOptions = {}): Promise<HandlerRun> {
  const name = nameOf(handler);
  const explicit = new ExplicitMappingResolver();
  explicit.register(name, handler);
  const logs: RunLog[] = [];
  const saved: RunCheckpoint[] = [];
  const before = [currentLoggingRuntime(), currentCheckpointRuntime()] as const;
  restoreLoggingRuntime(collector(logs));
  restoreCheckpointRuntime((progress) => saved.push(checkpointOf(progress)));
  try {
    const outcome = await dispatch(ResolverChain.withResolvers([explicit]), {
      handler: { callable: name, method: options.method },
      attempts: options.retryCount ?? 0,
      maxAttempts: options.maxRetries ?? 3,
      timeBudgetMs: 30_000,
      event: JSON.stringify(stepEvent(name, options)),
    });
    return { ...readOutcome(outcome), saved, logs };
  } catch (error) {
    const { tag, val } = error as WitDispatchError;
    throw tag === undefined ? error : new Error(`${tag}: ${Array.isArray(val) ? val.join(', ') : val}`);
  } finally {
    restoreLoggingRuntime(before[0]);
    restoreCheckpointRuntime(before[1]);
  }
}

function nameOf(handler: HandlerEntry): string {
  const { handlerName, name } = handler as { handlerName?: string; name?: string };
  const found = handlerName || (typeof handler === 'object' ? name : undefined);
  if (typeof found !== 'string' || found === '') {
    throw new Error(`${name || 'The handler'} has no static handlerName: templates could not name it`);
  }
  return found;
}

function readOutcome(outcome: WitStepOutcome): Omit<HandlerRun, 'saved' | 'logs'> {
  const nothing = { success: true, result: null, metadata: {}, error: null, checkpoint: null };
  switch (outcome.tag) {
    case 'success':
      return { ...nothing, result: JSON.parse(outcome.val.result), metadata: JSON.parse(outcome.val.metadata) };
    case 'checkpoint':
      return { ...nothing, checkpoint: checkpointOf(outcome.val) };
    case 'failure': {
      const { message, errorType, errorCode = null, retryable, metadata } = outcome.val;
      const error = { message, type: typeOf(errorType), code: errorCode, retryable };
      return { ...nothing, success: false, metadata: JSON.parse(metadata), error };
    }
  }
}

function typeOf(type: WitErrorType): string {
  return type.tag === 'other' ? type.val : type.tag.replace('-', '_');
}

function checkpointOf({ cursor, itemsProcessed, accumulatedResults }: Progress | WitCheckpointYield): RunCheckpoint {
  return {
    cursor: JSON.parse(cursor),
    itemsProcessed: Number(itemsProcessed),
    accumulatedResults: accumulatedResults === undefined ? null : JSON.parse(accumulatedResults),
  };
}

function collector(logs: RunLog[]) {
  const keep =
    (level: RunLog['level']): LogMethod =>
    (message, fields) => {
      logs.push({ level, message, fields });
    };
  return {
    logError: keep('error'),
    logWarn: keep('warn'),
    logInfo: keep('info'),
    logDebug: keep('debug'),
    logTrace: keep('trace'),
  };
}
