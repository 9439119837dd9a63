/** Handlers that are found in every way there is. */

import {
  defineHandler,
  type HandlerDefinition,
  type HandlerRegistry,
  RegistryResolver,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';

export class ByName extends StepHandler {
  static handlerName = 'Found.ByName';

  async call(): Promise<StepHandlerResult> {
    return this.success({ found: 'by name' });
  }

  async other(): Promise<StepHandlerResult> {
    return this.success({ found: 'by method' });
  }
}

class Factors extends RegistryResolver {
  static _name = 'factors';
  static prefix = 'factor:';

  async resolveHandler({ callable }: HandlerDefinition) {
    const factor = Number(callable.slice('factor:'.length));
    const Product = defineHandler(callable, {}, async () => ({ found: 'by resolver', product: factor * 2 }));
    return new Product();
  }
}

export function registerFoundHandlers(registry: HandlerRegistry) {
  registry.addResolver(new Factors());
  registry.register('Found.ByName', ByName);
}
