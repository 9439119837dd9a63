/** Handlers for the tests of registry and resolvers. */

import { StepHandler, type StepHandlerResult } from '../src/index.js';

export class Charge extends StepHandler {
  static override handlerName = 'Shop.Charge';
  static override handlerVersion = '2.0.0';
  readonly #currency = 'EUR';

  override get capabilities(): string[] {
    return ['process', 'payments'];
  }

  override configSchema(): Record<string, unknown> {
    return { type: 'object' };
  }

  async call(): Promise<StepHandlerResult> {
    return this.success({ entry: 'call', currency: this.#currency });
  }

  async refund(): Promise<StepHandlerResult> {
    return this.success({ entry: 'refund', currency: this.#currency });
  }
}

export class Ship extends StepHandler {
  static override handlerName = 'Shop.Ship';

  async call(): Promise<StepHandlerResult> {
    return this.success({ entry: 'ship' });
  }
}

export class Unbuildable extends StepHandler {
  static override handlerName = 'Shop.Unbuildable';

  constructor() {
    super();
    throw new Error('no handler today');
  }

  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}
