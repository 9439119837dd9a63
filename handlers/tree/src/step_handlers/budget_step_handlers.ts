/** A budget goes down a tree: divisions take their share of it, teams take theirs of a division's. Amounts in cents. */

import { ErrorType, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

interface Allocation {
  amount_cents: number;
}

export class SetBudgetHandler extends StepHandler {
  static handlerName = 'TreeWorkflow.StepHandlers.SetBudgetHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const budget = context.getInput<number>('budget_cents');
    if (typeof budget !== 'number' || !Number.isInteger(budget) || budget < 1) {
      return this.failure(
        `budget_cents must be a whole number of cents, got ${budget}`,
        ErrorType.VALIDATION_ERROR,
        false,
      );
    }
    return this.success({ amount_cents: budget });
  }
}

/** Takes its share of what the step above has, rounded down. */
export class AllocateHandler extends StepHandler {
  static handlerName = 'TreeWorkflow.StepHandlers.AllocateHandler';

  configSchema() {
    return {
      type: 'object',
      required: ['parent_step', 'share_percent'],
      properties: {
        parent_step: { type: 'string' },
        share_percent: { type: 'integer', minimum: 0, maximum: 100 },
      },
    };
  }

  async call(context: StepContext): Promise<StepHandlerResult> {
    const parentStep = context.getConfig<string>('parent_step') ?? '';
    const share = context.getConfig<number>('share_percent') ?? 0;
    const parent = context.getDependencyResult<Allocation>(parentStep);
    if (parent === null) {
      return this.failure(`Missing result of ${parentStep}`, 'dependency_error', false);
    }
    return this.success({
      amount_cents: Math.floor((parent.amount_cents * share) / 100),
      share_percent: share,
      of: parentStep,
    });
  }
}

export class ApprovePlanHandler extends StepHandler {
  static handlerName = 'TreeWorkflow.StepHandlers.ApprovePlanHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const budget = context.getInput<number>('budget_cents') ?? 0;
    const teams = context.getDependencyResultKeys().filter((name) => name.startsWith('team_'));
    const amounts = Object.fromEntries(
      teams.sort().map((team) => [team, context.getDependencyField<number>(team, 'amount_cents') ?? 0]),
    );
    const allocated = Object.values(amounts).reduce((sum, amount) => sum + amount, 0);
    if (allocated > budget) {
      return this.failure(`The teams share ${allocated} cents of ${budget}`, ErrorType.PERMANENT_ERROR, false);
    }
    return this.success({
      budget_cents: budget,
      allocated_cents: allocated,
      unallocated_cents: budget - allocated,
      teams: amounts,
    });
  }
}
