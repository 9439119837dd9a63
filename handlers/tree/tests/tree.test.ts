import { StepContext } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import { AllocateHandler, ApprovePlanHandler, SetBudgetHandler } from '../src/index.js';

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

const allocate = (parent: string, share: number, results: Data) =>
  new AllocateHandler().call(context({ config: { parent_step: parent, share_percent: share }, results }));

describe('the root', () => {
  it("takes the task's budget", async () => {
    const result = await new SetBudgetHandler().call(context({ input: { budget_cents: 1_000_000 } }));
    expect(result).toMatchObject({ success: true, result: { amount_cents: 1_000_000 } });
  });

  it.each([{}, { budget_cents: 0 }, { budget_cents: 1.5 }, { budget_cents: '9' }])(
    'refuses the context %j for good',
    async (input) => {
      const result = await new SetBudgetHandler().call(context({ input }));
      expect(result).toMatchObject({ success: false, errorType: 'validation_error', retryable: false });
    },
  );
});

describe('a division or team', () => {
  it('takes its share of what is above it, rounded down', async () => {
    const result = await allocate('set_budget', 60, { set_budget: { result: { amount_cents: 999 } } });
    expect(result.result).toEqual({ amount_cents: 599, share_percent: 60, of: 'set_budget' });
  });

  it('fails for good when there is nothing above it', async () => {
    expect(await allocate('set_budget', 60, {})).toMatchObject({ errorType: 'dependency_error', retryable: false });
  });
});

describe('the plan', () => {
  const approve = (budget: number, ...amounts: number[]) => {
    const teams = amounts.map((amount, index) => [`team_${index}`, { result: { amount_cents: amount } }]);
    const results = { ...Object.fromEntries(teams), division_x: { result: { amount_cents: budget } } };
    return new ApprovePlanHandler().call(context({ input: { budget_cents: budget }, results }));
  };

  it('adds up the teams alone', async () => {
    expect((await approve(10, 3, 6)).result).toEqual({
      budget_cents: 10,
      allocated_cents: 9,
      unallocated_cents: 1,
      teams: { team_0: 3, team_1: 6 },
    });
  });

  it('is refused when they share more than there is', async () => {
    expect(await approve(8, 3, 6)).toMatchObject({ errorType: 'permanent_error', retryable: false });
  });
});
