/**
 * Four steps in a row. The first squares the task's even number, each further one squares the result of the one
 * before it: 6 becomes 36, 1 296, 1 679 616 and at last 2 821 109 907 456.
 */

import { ErrorType, logInfo, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

interface SquareResult {
  result: number;
}

export class LinearStep1Handler extends StepHandler {
  static handlerName = 'LinearWorkflow.StepHandlers.LinearStep1Handler';
  static handlerVersion = '1.0.0';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const evenNumber = context.getInput<number>('even_number');
    if (evenNumber === undefined || evenNumber === null) {
      return this.failure('Task context must contain an even_number', ErrorType.VALIDATION_ERROR, false);
    }
    if (!Number.isInteger(evenNumber) || evenNumber % 2 !== 0) {
      return this.failure(`even_number must be even, got ${evenNumber}`, ErrorType.VALIDATION_ERROR, false);
    }
    logInfo('Starting the sequence', { operation: 'square', even_number: evenNumber });
    return this.success({ result: evenNumber * evenNumber }, { operation: 'square', step_type: 'initial' });
  }
}

/** What the three following steps have in common. */
abstract class SquarePreviousHandler extends StepHandler {
  protected abstract readonly previousStep: string;
  protected abstract readonly stepType: string;

  async call(context: StepContext): Promise<StepHandlerResult> {
    const previous = context.getDependencyResult<SquareResult>(this.previousStep);
    if (previous === null) {
      return this.failure(`Missing result of ${this.previousStep}`, 'dependency_error', false);
    }
    return this.success(
      { result: previous.result * previous.result },
      { operation: 'square', step_type: this.stepType, input_refs: { previous: this.previousStep } },
    );
  }
}

export class LinearStep2Handler extends SquarePreviousHandler {
  static handlerName = 'LinearWorkflow.StepHandlers.LinearStep2Handler';
  static handlerVersion = '1.0.0';
  protected readonly previousStep = 'linear_step_1';
  protected readonly stepType = 'intermediate';
}

export class LinearStep3Handler extends SquarePreviousHandler {
  static handlerName = 'LinearWorkflow.StepHandlers.LinearStep3Handler';
  static handlerVersion = '1.0.0';
  protected readonly previousStep = 'linear_step_2';
  protected readonly stepType = 'intermediate';
}

export class LinearStep4Handler extends SquarePreviousHandler {
  static handlerName = 'LinearWorkflow.StepHandlers.LinearStep4Handler';
  static handlerVersion = '1.0.0';
  protected readonly previousStep = 'linear_step_3';
  protected readonly stepType = 'final';
}
