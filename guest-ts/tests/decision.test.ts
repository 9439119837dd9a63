import { describe, expect, it } from 'vitest';
import {
  applyDecision,
  type DecisionCapable,
  DecisionHandler,
  DecisionMixin,
  type DecisionPointOutcome,
  DecisionStepHandler,
  DecisionType,
  StepHandler,
  type StepHandlerResult,
} from '../src/index.js';

class Route extends DecisionHandler {
  static override handlerName = 'Orders.Route';
  static override handlerVersion = '2.0.0';

  async call(): Promise<StepHandlerResult> {
    return this.skipBranches('closed');
  }

  // The methods are protected: a handler calls them, and here it does so for the test.
  readonly decides: DecisionCapable = {
    name: this.name,
    version: this.version,
    decisionSuccess: (...args) => this.decisionSuccess(...args),
    decisionSuccessWithOutcome: (...args) => this.decisionSuccessWithOutcome(...args),
    decisionNoBranches: (...args) => this.decisionNoBranches(...args),
    skipBranches: (...args) => this.skipBranches(...args),
    decisionFailure: (...args) => this.decisionFailure(...args),
  };
}

class Plain extends StepHandler {
  static override handlerName = 'Orders.Route';
  static override handlerVersion = '2.0.0';

  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

class Mixed extends DecisionMixin {
  static handlerName = 'Orders.Route';
  static handlerVersion = '2.0.0';
}

class Bound extends StepHandler {
  static override handlerName = 'Orders.Route';
  static override handlerVersion = '2.0.0';
  decisionSuccess = DecisionMixin.prototype.decisionSuccess.bind(this as unknown as DecisionMixin);
  skipBranches = DecisionMixin.prototype.skipBranches.bind(this as unknown as DecisionMixin);

  async call(): Promise<StepHandlerResult> {
    return this.decisionSuccess(['ship']);
  }
}

const signed = { decision_handler: 'Orders.Route', decision_version: '2.0.0' };

const outcome: DecisionPointOutcome = {
  decisionType: DecisionType.CREATE_STEPS,
  nextStepNames: ['ship'],
  routingContext: { tier: 'gold' },
};

describe('the types of a decision', () => {
  it('are those the orchestration knows', () => {
    expect(DecisionType).toEqual({ CREATE_STEPS: 'create_steps', NO_BRANCHES: 'no_branches' });
  });
});

describe.each<[string, DecisionCapable]>([
  ['a DecisionHandler', new Route().decides],
  ['a handler applyDecision was called with', applyDecision(new Plain())],
  ['a class that extends DecisionMixin', new Mixed()],
])('%s', (_what, handler) => {
  it('routes to steps', () => {
    const result = handler.decisionSuccess(['ship', 'notify']);
    expect(result).toMatchObject({ success: true, metadata: signed });
    expect(result.result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: ['ship', 'notify'] },
    });
  });

  it('says what it routed on, and adds metadata', () => {
    const result = handler.decisionSuccess(['ship'], { tier: 'gold' }, { rule: 3, decision_handler: 'liar' });
    expect(result.result).toMatchObject({ routing_context: { tier: 'gold' } });
    expect(result.metadata).toEqual({ rule: 3, ...signed });
  });

  it('leaves an empty routing context out', () => {
    expect(handler.decisionSuccess(['ship'], {}).result).not.toHaveProperty('routing_context');
    expect(handler.skipBranches('closed', {}).result).not.toHaveProperty('routing_context');
  });

  it('routes with an outcome, its dynamic steps and metadata', () => {
    const result = handler.decisionSuccessWithOutcome({ ...outcome, dynamicSteps: [{ name: 'x' }] }, { rule: 3 });
    expect(result.result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: ['ship'] },
      dynamic_steps: [{ name: 'x' }],
      routing_context: { tier: 'gold' },
    });
    expect(result.metadata).toEqual({ rule: 3, ...signed });
    expect(handler.decisionSuccessWithOutcome(outcome).result).not.toHaveProperty('dynamic_steps');
  });

  it('takes no branch, with an outcome', () => {
    const none = { ...outcome, decisionType: DecisionType.NO_BRANCHES, nextStepNames: [], reason: 'closed' };
    const result = handler.decisionNoBranches(none, { rule: 3 });
    expect(result).toMatchObject({ success: true, metadata: { rule: 3, ...signed } });
    expect(result.result).toEqual({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'closed',
      routing_context: { tier: 'gold' },
    });
  });

  it('takes no branch, with the reason alone', () => {
    const result = handler.decisionNoBranches('closed', { rule: 3 });
    expect(result.result).toEqual({ decision_point_outcome: { type: 'no_branches' }, reason: 'closed' });
    expect(result.metadata).toEqual({ rule: 3, ...signed });
  });

  it('skips its branches', () => {
    const result = handler.skipBranches('closed', { hour: 23 }, { rule: 3 });
    expect(result.result).toEqual({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'closed',
      routing_context: { hour: 23 },
    });
    expect(result.metadata).toEqual({ rule: 3, ...signed });
  });

  it('fails for good when it cannot decide, unless told otherwise', () => {
    expect(handler.decisionFailure('no amount')).toMatchObject({
      success: false,
      errorMessage: 'no amount',
      errorType: 'decision_error',
      retryable: false,
      metadata: signed,
    });
    expect(handler.decisionFailure('busy', 'connection_error', true, { rule: 3 })).toMatchObject({
      errorType: 'connection_error',
      retryable: true,
      metadata: { rule: 3, ...signed },
    });
  });
});

describe('a decision handler', () => {
  it('can decide and route', () => {
    expect(new Route().capabilities).toEqual(['process', 'decision', 'routing']);
  });

  it('has an older name', () => {
    expect(DecisionStepHandler).toBe(DecisionHandler);
  });

  it('may be any handler that binds the methods it uses', async () => {
    expect(await new Bound().call()).toMatchObject({ success: true, metadata: signed });
    expect(new Bound().skipBranches('closed')).toMatchObject({ success: true, metadata: signed });
  });

  it('keeps its other methods when the decisions are applied to it', async () => {
    const handler = applyDecision(new Plain());
    expect(handler.capabilities).toEqual(['process']);
    expect((await handler.call()).isSuccess()).toBe(true);
  });
});

describe('the mixin alone', () => {
  it('is called like its class, version 1.0.0', () => {
    expect(new DecisionMixin()).toMatchObject({ name: 'DecisionMixin', version: '1.0.0' });
  });
});
