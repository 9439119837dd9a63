import { markAsHelpers } from '../handler/helpers.js';
import { StepHandler } from '../handler/step-handler.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
import type { DecisionPointOutcome } from './outcome.js';
import { noBranches, routeTo, skip, undecided, withOutcome } from './results.js';

/** Base of the handlers of `decision` steps: what they return says which of their dependants come into being. */
export abstract class DecisionHandler extends StepHandler {
  static {
    markAsHelpers(DecisionHandler.prototype);
  }

  override get capabilities(): string[] {
    return ['process', 'decision', 'routing'];
  }

  /** The named steps come into being. */
  protected decisionSuccess(
    steps: string[],
    routingContext?: Record<string, unknown>,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return routeTo(this, steps, routingContext, metadata);
  }

  protected decisionSuccessWithOutcome(
    outcome: DecisionPointOutcome,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return withOutcome(this, outcome, metadata);
  }

  /** No step comes into being. Takes an outcome, or just the reason. */
  protected decisionNoBranches(
    outcome: DecisionPointOutcome | string,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return noBranches(this, outcome, metadata);
  }

  /** No step comes into being. */
  protected skipBranches(
    reason: string,
    routingContext?: Record<string, unknown>,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return skip(this, reason, routingContext, metadata);
  }

  /** The decision cannot be made. For good, unless told otherwise. */
  protected decisionFailure(
    message: string,
    errorType?: string,
    retryable?: boolean,
    metadata?: Record<string, unknown>,
  ): StepHandlerResult {
    return undecided(this, message, errorType, retryable, metadata);
  }
}

/** @deprecated The older name of `DecisionHandler`. */
export const DecisionStepHandler = DecisionHandler;
/** @deprecated The older name of `DecisionHandler`. */
export type DecisionStepHandler = DecisionHandler;
