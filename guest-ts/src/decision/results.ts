/** Decisions as step results, in the form the orchestration reads. */

import { StepHandlerResult } from '../types/step-handler-result.js';
import { type DecisionPointOutcome, DecisionType } from './outcome.js';

type Data = Record<string, unknown>;

/** Who decides: named in the metadata of every decision. */
export interface Decider {
  readonly name: string;
  readonly version: string;
}

export function routeTo(
  decider: Decider,
  steps: string[],
  routingContext: Data = {},
  metadata?: Data,
): StepHandlerResult {
  const outcome = { decisionType: DecisionType.CREATE_STEPS, nextStepNames: steps, routingContext };
  return withOutcome(decider, outcome, metadata);
}

export function withOutcome(decider: Decider, outcome: DecisionPointOutcome, metadata?: Data): StepHandlerResult {
  const result: Data = {
    decision_point_outcome: { type: outcome.decisionType, step_names: outcome.nextStepNames },
  };
  if (outcome.dynamicSteps) {
    result.dynamic_steps = outcome.dynamicSteps;
  }
  return decided(decider, result, outcome, metadata);
}

/** @param outcome the outcome, or why there are no branches */
export function noBranches(
  decider: Decider,
  outcome: DecisionPointOutcome | string,
  metadata?: Data,
): StepHandlerResult {
  if (typeof outcome === 'string') {
    return skip(decider, outcome, {}, metadata);
  }
  const result: Data = { decision_point_outcome: { type: outcome.decisionType } };
  if (outcome.reason) {
    result.reason = outcome.reason;
  }
  return decided(decider, result, outcome, metadata);
}

export function skip(decider: Decider, reason: string, routingContext: Data = {}, metadata?: Data): StepHandlerResult {
  const outcome = { decisionType: DecisionType.NO_BRANCHES, nextStepNames: [], reason, routingContext };
  return noBranches(decider, outcome, metadata);
}

export function undecided(
  decider: Decider,
  message: string,
  errorType = 'decision_error',
  retryable = false,
  metadata?: Data,
): StepHandlerResult {
  return StepHandlerResult.failure(message, errorType, retryable, signed(decider, metadata));
}

function decided(decider: Decider, result: Data, outcome: DecisionPointOutcome, metadata?: Data): StepHandlerResult {
  // Handlers written in JavaScript may leave it out.
  if (Object.keys(outcome.routingContext ?? {}).length > 0) {
    result.routing_context = outcome.routingContext;
  }
  return StepHandlerResult.success(result, signed(decider, metadata));
}

function signed(decider: Decider, metadata?: Data): Data {
  return { ...metadata, decision_handler: decider.name, decision_version: decider.version };
}
