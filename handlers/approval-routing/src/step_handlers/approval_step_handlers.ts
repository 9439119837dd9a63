/** A request for money: who has to approve it depends on the amount. */

import {
  DecisionHandler,
  ErrorType,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';

interface Request {
  amount: number;
  requester: string;
  purpose: string;
}

interface Approval {
  approved: boolean;
  approver: string;
}

export class ValidateRequestHandler extends StepHandler {
  static handlerName = 'ApprovalRouting.StepHandlers.ValidateRequestHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const amount = context.getInput<number>('amount');
    const requester = context.getInput<string>('requester');
    if (typeof amount !== 'number' || amount < 0) {
      return this.failure(`amount must be a number of 0 or more, got ${amount}`, ErrorType.VALIDATION_ERROR, false);
    }
    if (!requester) {
      return this.failure('requester is missing', ErrorType.VALIDATION_ERROR, false);
    }
    return this.success({ amount, requester, purpose: context.getInputOr('purpose', 'unspecified') });
  }
}

export class RouteApprovalHandler extends DecisionHandler {
  static handlerName = 'ApprovalRouting.StepHandlers.RouteApprovalHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const amount = context.getDependencyField<number>('validate_request', 'amount');
    if (typeof amount !== 'number') {
      return this.decisionFailure('validate_request left no amount');
    }
    if (amount === 0) {
      return this.skipBranches('nothing to approve', { amount });
    }
    if (amount < (context.getConfig<number>('manager_from') ?? 0)) {
      return this.decisionSuccess(['auto_approve'], { amount, route: 'automatic' });
    }
    if (amount < (context.getConfig<number>('finance_from') ?? 0)) {
      return this.decisionSuccess(['manager_approval'], { amount, route: 'manager' });
    }
    return this.decisionSuccess(['manager_approval', 'finance_review'], { amount, route: 'manager_and_finance' });
  }
}

/** Approves up to its limit; without one, everything. */
export class ApproveHandler extends StepHandler {
  static handlerName = 'ApprovalRouting.StepHandlers.ApproveHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const request = context.getDependencyResult<Request>('validate_request');
    if (request === null) {
      return this.failure('Missing result of validate_request', 'dependency_error', false);
    }
    const approver = context.getConfig<string>('approver') ?? 'nobody';
    const limit = context.getConfig<number>('limit') ?? Number.POSITIVE_INFINITY;
    return this.success({ approved: request.amount <= limit, approver, amount: request.amount });
  }
}

export class FinalizeApprovalHandler extends StepHandler {
  static handlerName = 'ApprovalRouting.StepHandlers.FinalizeApprovalHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const approvals = ['auto_approve', 'manager_approval', 'finance_review']
      .map((step) => context.getDependencyResult<Approval>(step))
      .filter((approval) => approval !== null);
    if (approvals.length === 0) {
      return this.failure('No approval was asked for', 'dependency_error', false);
    }
    return this.success({
      approved: approvals.every(({ approved }) => approved),
      approvers: approvals.map(({ approver }) => approver),
      amount: context.getDependencyField<number>('validate_request', 'amount'),
      route: context.getDependencyField<string>('route_approval', 'routing_context', 'route'),
    });
  }
}
