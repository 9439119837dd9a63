/**
 * A start, two branches that run in parallel, and an end that waits for both: 6 is squared to 36, each branch squares
 * that to 1 296, and the end multiplies the two to 1 679 616.
 */

import { ErrorType, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

interface DiamondResult {
  result: number;
}

export class DiamondStartHandler extends StepHandler {
  static handlerName = 'DiamondWorkflow.StepHandlers.DiamondStartHandler';
  static handlerVersion = '1.0.0';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const evenNumber = context.getInput<number>('even_number');
    if (evenNumber === undefined || evenNumber === null) {
      return this.failure('Task context must contain an even_number', ErrorType.VALIDATION_ERROR, false);
    }
    if (!Number.isInteger(evenNumber) || evenNumber % 2 !== 0) {
      return this.failure(`even_number must be even, got ${evenNumber}`, ErrorType.VALIDATION_ERROR, false);
    }
    return this.success({ result: evenNumber * evenNumber }, { operation: 'square', branch: 'start' });
  }
}

export class DiamondBranchBHandler extends StepHandler {
  static handlerName = 'DiamondWorkflow.StepHandlers.DiamondBranchBHandler';
  static handlerVersion = '1.0.0';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const start = context.getDependencyResult<DiamondResult>('diamond_start');
    if (start === null) {
      return this.failure('Missing result of diamond_start', 'dependency_error', false);
    }
    return this.success({ result: start.result * start.result }, { operation: 'square', branch: 'left' });
  }
}

export class DiamondBranchCHandler extends StepHandler {
  static handlerName = 'DiamondWorkflow.StepHandlers.DiamondBranchCHandler';
  static handlerVersion = '1.0.0';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const start = context.getDependencyResult<DiamondResult>('diamond_start');
    if (start === null) {
      return this.failure('Missing result of diamond_start', 'dependency_error', false);
    }
    return this.success({ result: start.result * start.result }, { operation: 'square', branch: 'right' });
  }
}

export class DiamondEndHandler extends StepHandler {
  static handlerName = 'DiamondWorkflow.StepHandlers.DiamondEndHandler';
  static handlerVersion = '1.0.0';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const branchB = context.getDependencyField<number>('diamond_branch_b', 'result');
    const branchC = context.getDependencyField<number>('diamond_branch_c', 'result');
    if (typeof branchB !== 'number' || typeof branchC !== 'number') {
      return this.failure('Missing result of a branch', 'dependency_error', false);
    }
    return this.success({ result: branchB * branchC }, { operation: 'multiply', branch: 'convergence' });
  }
}
