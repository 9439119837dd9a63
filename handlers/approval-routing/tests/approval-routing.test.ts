import { StepContext } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import { ApproveHandler, FinalizeApprovalHandler, RouteApprovalHandler, ValidateRequestHandler } from '../src/index.js';

type Data = Record<string, unknown>;

function context({ input = {}, config = {}, results = {} }: { input?: Data; config?: Data; results?: Data }) {
  return StepContext.fromFfiEvent(
    {
      task_sequence_step: {
        task: { context: input },
        step_definition: { handler: { initialization: config } },
        dependency_results: { results },
      },
    },
    'test',
  );
}

const request = (amount: number) => ({ validate_request: { result: { amount, requester: 'Ada', purpose: 'desk' } } });

describe('the request', () => {
  it('is taken as it is', async () => {
    const result = await new ValidateRequestHandler().call(context({ input: { amount: 5, requester: 'Ada' } }));
    expect(result.result).toEqual({ amount: 5, requester: 'Ada', purpose: 'unspecified' });
  });

  it.each([{}, { amount: -1, requester: 'Ada' }, { amount: '5', requester: 'Ada' }, { amount: 5 }])(
    'is refused for good: %j',
    async (input) => {
      const result = await new ValidateRequestHandler().call(context({ input }));
      expect(result).toMatchObject({ success: false, errorType: 'validation_error', retryable: false });
    },
  );
});

describe('the decision', () => {
  const config = { manager_from: 1000, finance_from: 5000 };
  const decide = (results: Data) => new RouteApprovalHandler().call(context({ config, results }));

  it.each([
    [999.99, ['auto_approve'], 'automatic'],
    [1000, ['manager_approval'], 'manager'],
    [4999, ['manager_approval'], 'manager'],
    [5000, ['manager_approval', 'finance_review'], 'manager_and_finance'],
  ])('routes %d to %j', async (amount, step_names, route) => {
    expect((await decide(request(amount))).result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names },
      routing_context: { amount, route },
    });
  });

  it('takes no branch for nothing', async () => {
    expect((await decide(request(0))).result).toMatchObject({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'nothing to approve',
    });
  });

  it('cannot be made without an amount', async () => {
    expect(await decide({})).toMatchObject({ success: false, errorType: 'decision_error', retryable: false });
  });
});

describe('an approval', () => {
  const approve = (amount: number, config: Data) =>
    new ApproveHandler().call(context({ config, results: request(amount) }));

  it.each([
    [100, { approver: 'manager', limit: 100 }, true],
    [101, { approver: 'manager', limit: 100 }, false],
    [101, { approver: 'system' }, true],
  ])('of %d by %j is given: %s', async (amount, config, approved) => {
    expect((await approve(amount, config)).result).toEqual({ approved, approver: config.approver, amount });
  });
});

describe('the end', () => {
  const finalize = (results: Data) =>
    new FinalizeApprovalHandler().call(
      context({
        results: {
          ...request(7000),
          route_approval: { result: { routing_context: { route: 'manager_and_finance' } } },
          ...results,
        },
      }),
    );

  it.each([true, false])('joins the approvals there are, the second of which is %s', async (approved) => {
    const result = await finalize({
      manager_approval: { result: { approved: true, approver: 'manager' } },
      finance_review: { result: { approved, approver: 'finance' } },
    });
    expect(result.result).toEqual({
      approved,
      approvers: ['manager', 'finance'],
      amount: 7000,
      route: 'manager_and_finance',
    });
  });

  it('fails for good without any', async () => {
    expect(await finalize({})).toMatchObject({ success: false, retryable: false });
  });
});
