/** What a template names by the path of its module. */

import { StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

export default class ByPath extends StepHandler {
  static handlerName = 'Found.ByPath';

  async call(): Promise<StepHandlerResult> {
    return this.success({ found: 'by path' });
  }
}
