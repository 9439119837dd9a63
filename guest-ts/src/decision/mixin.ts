import { markAsHelpers } from '../handler/helpers.js';
import type { StepHandlerClass } from '../handler/step-handler.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
import type { DecisionPointOutcome } from './outcome.js';
import { type Decider, noBranches, routeTo, skip, undecided, withOutcome } from './results.js';

/** What a handler can do that decides. */
export interface DecisionCapable extends Decider {
  /** The named steps come into being. */
  decisionSuccess(
    steps: string[],
    routingContext?: Record<string, unknown>,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult;

  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Record<string, unknown>): StepHandlerResult;

  /** No step comes into being. Takes an outcome, or just the reason. */
  decisionNoBranches(outcome: DecisionPointOutcome | string, metadata?: Record<string, unknown>): StepHandlerResult;

  /** No step comes into being. */
  skipBranches(
    reason: string,
    routingContext?: Record<string, unknown>,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult;

  /** The decision cannot be made. For good, unless told otherwise. */
  decisionFailure(
    message: string,
    errorType?: string,
    retryable?: boolean,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult;
}

/** The methods of `DecisionCapable`, for handlers that extend something else: bind them, or use `applyDecision`. */
export class DecisionMixin implements DecisionCapable {
  static {
    markAsHelpers(DecisionMixin.prototype);
  }

  get name(): string {
    const type = this.constructor as Partial<StepHandlerClass> & { name: string };
    return type.handlerName || type.name;
  }

  get version(): string {
    return (this.constructor as Partial<StepHandlerClass>).handlerVersion || '1.0.0';
  }

  decisionSuccess(
    steps: string[],
    routingContext?: Record<string, unknown>,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return routeTo(this, steps, routingContext, metadata);
  }

  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Record<string, unknown>): StepHandlerResult {
    return withOutcome(this, outcome, metadata);
  }

  decisionNoBranches(outcome: DecisionPointOutcome | string, metadata?: Record<string, unknown>): StepHandlerResult {
    return noBranches(this, outcome, metadata);
  }

  skipBranches(
    reason: string,
    routingContext?: Record<string, unknown>,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return skip(this, reason, routingContext, metadata);
  }

  decisionFailure(
    message: string,
    errorType?: string,
    retryable?: boolean,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return undecided(this, message, errorType, retryable, metadata);
  }
}

/** Gives a handler the methods of `DecisionCapable`; the decisions bear its name and version. */
export function applyDecision<T extends Decider>(target: T): T & DecisionCapable {
  const { decisionSuccess, decisionSuccessWithOutcome, decisionNoBranches, skipBranches, decisionFailure } =
    DecisionMixin.prototype;
  const methods = {
    decisionSuccess: decisionSuccess.bind(target as never),
    decisionSuccessWithOutcome: decisionSuccessWithOutcome.bind(target as never),
    decisionNoBranches: decisionNoBranches.bind(target as never),
    skipBranches: skipBranches.bind(target as never),
    decisionFailure: decisionFailure.bind(target as never),
  };
  markAsHelpers(methods);
  return Object.assign(target, methods);
}
