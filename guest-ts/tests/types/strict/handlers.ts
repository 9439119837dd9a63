/** Handlers of every kind, and what a compiler must say of wrong ones. */

import {
  type APICapable,
  ApiHandler,
  applyAPI,
  BatchableStepHandler,
  Decision,
  DecisionHandler,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  ErrorType,
  getTaskerClient,
  PermanentError,
  publishEvent,
  type StepContext,
  StepHandler,
  StepHandlerResult,
} from '@tasker-systems/tasker';
import { type HandlerRun, runHandler } from '@tasker-wasm/guest/testing';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

interface Order {
  id: number;
  total: number;
}

export class Plain extends StepHandler {
  static override handlerName = 'Shop.Plain';
  static override handlerVersion = '2.0.0';

  override get capabilities(): string[] {
    return ['process', 'payments'];
  }

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getInput<Order>('order');
    const note: string = context.getInputOr('note', '');
    const total: number | null = context.getDependencyField<number>('validate', 'total');
    if (order === undefined || total === null) {
      return this.failure('no order', ErrorType.VALIDATION_ERROR, false, { note }, 'E1');
    }
    // @ts-expect-error: a result is an object
    this.success(order.total);
    return this.success({ total: order.total + total });
  }
}

export class Fetch extends ApiHandler {
  static override handlerName = 'Shop.Fetch';
  static override baseUrl = 'https://api.example';
  static override defaultTimeout = 5_000;
  static override defaultHeaders = { 'X-Api-Key': 'key' };

  async call(context: StepContext): Promise<StepHandlerResult> {
    try {
      const response = await this.get('/orders', { page: 1 }, { 'X-Trace': context.correlationId });
      await this.get('/orders', { params: { page: 1 }, headers: { 'X-Trace': 't' } });
      await this.post('/orders', { body: { id: 7 }, json: true });
      await this.put('/orders', { body: 'text', json: false, headers: { 'Content-Type': 'text/plain' } });
      await this.patch('/orders');
      await this.delete('/orders/7', { 'X-Trace': 't' });
      await this.delete('/orders/7', { params: { hard: true } });
      await this.request('HEAD', '/orders', { redirect: 'manual' });
      const wait: number | null = response.retryAfter;
      return response.ok ? this.apiSuccess(response, { wait }, false) : this.apiFailure(response, 'no orders');
    } catch (error) {
      return this.connectionError(error as Error, 'fetching orders');
    }
  }
}

export class Field extends ApiHandler {
  static override handlerName = 'Shop.Field';
  protected override baseUrl = 'https://api.example';
  protected override timeout = 5_000;
  protected override defaultHeaders = { 'X-Api-Key': 'key' };

  async call(): Promise<StepHandlerResult> {
    return this.apiSuccess(await this.get('/'));
  }
}

export class Composed extends StepHandler {
  static override handlerName = 'Shop.Composed';
  readonly #api: APICapable = applyAPI(this);

  async call(): Promise<StepHandlerResult> {
    return this.#api.apiSuccess(await this.#api.get('/'));
  }
}

export class Route extends DecisionHandler {
  static override handlerName = 'Shop.Route';

  async call(): Promise<StepHandlerResult> {
    return this.decisionSuccess(['ship'], { tier: 'gold' });
  }
}

export class Analyze extends BatchableStepHandler {
  static override handlerName = 'Shop.Analyze';

  async call(): Promise<StepHandlerResult> {
    return this.batchSuccess('worker', this.createCursorConfigs(100, 4));
  }
}

export const Double = defineHandler('shop.double', { inputs: { n: 'n' } }, async ({ n, context }) => {
  if (typeof n !== 'number') {
    throw new PermanentError('no number', { step: context.stepUuid });
  }
  return { doubled: n * 2 };
});
export const Decide = defineDecisionHandler('shop.decide', {}, async () => Decision.skip('closed'));
export const Cut = defineBatchAnalyzer('shop.cut', { workerTemplate: 'w' }, () => ({ totalItems: 9, batchSize: 3 }));
export const Work = defineBatchWorker('shop.work', {}, ({ batchContext }) => ({
  from: batchContext?.startCursor ?? 0,
}));
export const Call = defineApiHandler('shop.call', { baseUrl: 'https://api.example' }, async ({ api }) =>
  api.apiSuccess(await api.get('/orders', { page: 1 })),
);
// @ts-expect-error: an API has a base URL
defineApiHandler('shop.nowhere', {}, () => ({}));

export const ALL_EXAMPLE_HANDLERS = [Plain, Fetch, Field, Composed, Route, Analyze, Double, Decide, Cut, Work, Call];

export async function ask(): Promise<string> {
  const client = await getTaskerClient();
  const { task_uuid } = client.createTask({ name: 'orders', context: { id: 7 }, idempotencyKey: 'k' });
  // @ts-expect-error: a task has a name
  client.createTask({});
  const more: boolean = client.listTasks({ limit: 10 }).pagination.has_more;
  return more ? task_uuid : publishEvent('order.paid', { id: 7 }, { delivery: 'fast' });
}

const log: Logger = pino({ name: 'shop', level: 'debug', redact: ['card.number'] }, pretty());
log.child({ order: 7 }).error(new Error('no'), 'failed after %d', 3);
export const levels: pino.Logger = log;

export async function run(): Promise<HandlerRun> {
  const outcome = await runHandler(Plain, {
    input: { order: { id: 7, total: 12 } },
    dependencies: { validate: { total: 1 } },
  });
  const type: string | undefined = outcome.error?.type;
  return runHandler(Double, { input: { type }, retryCount: 1, maxRetries: 3, checkpoint: { cursor: 4 } });
}

export const same: StepHandlerResult = StepHandlerResult.success({});
