/** Handlers as they are written for the published worker, and as its first design documents them. */

import {
  StepHandler as Base,
  detectAggregationScenario,
  ErrorType,
  getFfiLayer,
  HandlerRegistry,
  setLoggingRuntime,
  TaskerClient,
} from '@tasker/worker-typescript';
import type { APICapable, BatchableResult, DecisionCapable } from '@tasker-systems/tasker';
import { APIMixin, applyAPI, applyBatchable, applyDecision, BatchableMixin, StepHandler } from '@tasker-systems/tasker';
import { ApiHandler, DecisionStepHandler, type StepContext, type StepHandlerResult } from '@tasker-systems/worker';
import pino from 'pino';

const logger = pino({ level: 'info', transport: { target: 'pino-pretty', options: { colorize: true } } });

export class PaymentHandler extends ApiHandler {
  static handlerName = 'process_payment';
  static baseUrl = 'https://payments.example/api/v1';
  static defaultHeaders = { 'X-API-Key': 'key' };

  get capabilities() {
    return ['process', 'http', 'api', 'payments'];
  }

  async call(context: StepContext): Promise<StepHandlerResult> {
    const response = await this.post('/payments', { body: context.inputData.payment });
    logger.info({ status: response.statusCode }, 'paid');
    if (response.ok) return this.apiSuccess(response);
    return this.apiFailure(response);
  }
}

export class DocumentedHandler extends ApiHandler {
  static handlerName = 'fetch_user';
  protected baseUrl = 'https://api.example';

  async call(context: StepContext) {
    const found = await this.get('/users', {
      params: { id: context.getInput('id') },
      headers: { Accept: 'application/json' },
    });
    await this.delete('/sessions', { params: { user: 7 } });
    // biome-ignore lint/suspicious/noExplicitAny: as people write it
    const user = found.body as any;
    return this.success({ name: user.name });
  }
}

// Signatures of the published worker, overridden.
export class Wrapping extends PaymentHandler {
  protected async get(path: string, params?: Record<string, unknown>, headers?: Record<string, string>) {
    return super.get(path, params, headers);
  }
  protected async delete(path: string, headers?: Record<string, string>) {
    return super.delete(path, headers);
  }
  protected async request(method: string, path: string, options?: RequestInit) {
    return super.request(method, path, options);
  }
}

export class Bound extends StepHandler {
  static handlerName = 'bound';
  static baseUrl = 'https://api.example';
  get = APIMixin.prototype.get.bind(this as unknown as APIMixin);
  apiSuccess = APIMixin.prototype.apiSuccess.bind(this as unknown as APIMixin);
  batches = new BatchableMixin();

  async call(_context: StepContext): Promise<StepHandlerResult> {
    return this.apiSuccess(await this.get('/users'));
  }
}

export class Applied extends Base {
  static handlerName = 'applied';

  constructor() {
    super();
    applyAPI(this);
    applyDecision(this);
    applyBatchable(this);
  }

  async call(context: StepContext): Promise<StepHandlerResult> {
    const self = this as unknown as APICapable & DecisionCapable;
    const response = await self.get('/users', { page: 1 });
    const scenario = detectAggregationScenario(context.dependencyResults, 'analyze', 'worker_');
    if (scenario.isNoBatches) return this.failure('none', 'dependency_error', false);
    return response.ok ? self.decisionSuccess(['a']) : self.decisionNoBranches('closed');
  }
}

export class OldName extends DecisionStepHandler {
  static handlerName = 'old_name';

  async call() {
    const result: BatchableResult = this.skipBranches('closed');
    return result;
  }
}

export async function submit() {
  const client = new TaskerClient(await getFfiLayer());
  const task = client.createTask({ name: 'process_order', namespace: 'ecommerce' });
  client.cancelTask(task.task_uuid);
  HandlerRegistry.instance(true).register('process_payment', PaymentHandler);
  return ErrorType.TIMEOUT;
}

setLoggingRuntime({
  logError: console.error,
  logWarn: console.warn,
  logInfo: console.info,
  logDebug: console.debug,
  logTrace: console.debug,
});
