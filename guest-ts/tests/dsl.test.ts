import { describe, expect, it } from 'vitest';
import {
  type APICapable,
  type BatchConfig,
  type BatchWorkerContext,
  Decision,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  type HandlerArgs,
  PermanentError,
  RetryableError,
  StepContext,
  StepHandler,
  StepHandlerResult,
} from '../src/index.js';
import { service } from './api/service.js';
import { stepContext } from './support.js';

const context = stepContext({
  input: { order_id: 7 },
  dependencies: { validate: { success: true, result: { total: 1250 } } },
  inputs: { cursor: { batch_id: '001', start_cursor: 0, end_cursor: 3, batch_size: 3 } },
});

type Define = (name: string, options: object, fn: (args: HandlerArgs) => unknown) => ReturnType<typeof defineHandler>;

const DEFINES: ReadonlyArray<readonly [string, Define]> = [
  ['defineHandler', defineHandler],
  ['defineDecisionHandler', defineDecisionHandler as Define],
  ['defineBatchWorker', defineBatchWorker],
  ['defineApiHandler', (name, options, fn) => defineApiHandler(name, { baseUrl: 'https://a.example', ...options }, fn)],
  [
    'defineBatchAnalyzer',
    (name, options, fn) => defineBatchAnalyzer(name, { workerTemplate: 'w', ...options }, fn as never),
  ],
];

describe.each(DEFINES)('%s', (_name, define) => {
  const returning = (value: unknown) => new (define('shop.charge', {}, () => value))().call(context);
  const throwing = (thrown: unknown) =>
    new (define('shop.charge', {}, () => {
      throw thrown;
    }))().call(context);

  it('makes a handler class of that name, version 1.0.0', () => {
    const Charge = define('shop.charge', {}, () => ({}));
    expect(new Charge()).toBeInstanceOf(StepHandler);
    expect([Charge.name, Charge.handlerName, Charge.handlerVersion]).toEqual(['shop.charge', 'shop.charge', '1.0.0']);
    expect(new (define('x', { version: '2.1.0' }, () => ({})))().version).toBe('2.1.0');
  });

  it('calls the function with what its options name, and the context', async () => {
    let seen: HandlerArgs | null = null;
    const options = {
      depends: { cart: 'validate', missing: 'nobody' },
      inputs: { order: 'order_id', absent: 'nothing' },
    };
    await new (define('x', options, (args) => {
      seen = args;
    }))().call(context);
    expect(seen).toMatchObject({ cart: { total: 1250 }, missing: null, order: 7 });
    expect(seen).toHaveProperty('absent', undefined);
    expect((seen as unknown as HandlerArgs).context).toBeInstanceOf(StepContext);
  });

  it('passes a result on as it is', async () => {
    const result = StepHandlerResult.failure('declined');
    expect(await returning(result)).toBe(result);
    expect(await returning(Promise.resolve(result))).toBe(result);
  });

  it('fails for good on a PermanentError, with its metadata', async () => {
    expect(await throwing(new PermanentError('no use', { account: 'A-1' }))).toMatchObject({
      success: false,
      errorMessage: 'no use',
      errorType: 'permanent_error',
      retryable: false,
      metadata: { account: 'A-1' },
    });
  });

  it('fails until tried again on a RetryableError, with its metadata', async () => {
    expect(await throwing(new RetryableError('busy', { retry_after_seconds: 3 }))).toMatchObject({
      success: false,
      errorMessage: 'busy',
      errorType: 'retryable_error',
      retryable: true,
      metadata: { retry_after_seconds: 3 },
    });
  });

  it.each([
    [new TypeError('no such thing'), 'no such thing', 'TypeError'],
    ['just a string', 'just a string', 'string'],
    [{ code: 7 }, 'Handler threw an object: {"code":7}', 'object'],
    [undefined, 'Handler threw undefined', 'undefined'],
  ])('fails until tried again on anything else thrown: %j', async (thrown, errorMessage, errorType) => {
    expect(await throwing(thrown)).toMatchObject({
      success: false,
      errorMessage,
      errorType: 'handler_error',
      retryable: true,
      metadata: { errorType },
    });
    expect(await returning(Promise.reject(thrown))).toMatchObject({ success: false, errorMessage });
  });
});

describe.each(DEFINES.slice(0, 3))('%s', (_name, define) => {
  const resultOf = async (value: unknown) => (await new (define('x', {}, () => value))().call(context)).result;

  it.each([
    [{ total: 7 }, { total: 7 }],
    [undefined, {}],
    [null, {}],
    [[1, 2], { result: [1, 2] }],
    [7, { result: 7 }],
    ['text', { result: 'text' }],
    [false, { result: false }],
  ])('makes a success of %j', async (value, result) => {
    expect(await resultOf(value)).toEqual(result);
    expect(await resultOf(Promise.resolve(value))).toEqual(result);
  });
});

describe('a decision', () => {
  const decide = async (decision: Decision) => {
    const Route = defineDecisionHandler('orders.route', { version: '2.0.0' }, async () => decision);
    expect(new Route().capabilities).toEqual(['process', 'decision', 'routing']);
    const result = await new Route().call(context);
    expect(result).toMatchObject({
      success: true,
      metadata: { decision_handler: 'orders.route', decision_version: '2.0.0' },
    });
    return result.result;
  };

  it('routes to steps', async () => {
    const decision = Decision.route(['ship'], { tier: 'gold' });
    expect(decision).toMatchObject({ type: 'create_steps', steps: ['ship'], routingContext: { tier: 'gold' } });
    expect(decision.reason).toBeUndefined();
    expect(await decide(decision)).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: ['ship'] },
      routing_context: { tier: 'gold' },
    });
    expect(await decide(Decision.route(['ship']))).not.toHaveProperty('routing_context');
  });

  it('skips all branches', async () => {
    const decision = Decision.skip('closed', { hour: 23 });
    expect(decision).toMatchObject({ type: 'no_branches', steps: [], reason: 'closed' });
    expect(await decide(decision)).toEqual({
      decision_point_outcome: { type: 'no_branches' },
      reason: 'closed',
      routing_context: { hour: 23 },
    });
    expect(Decision.skip('closed').routingContext).toEqual({});
  });
});

describe('a batch analyzer', () => {
  const analyze = (config: BatchConfig) =>
    new (defineBatchAnalyzer('csv.analyze', { workerTemplate: 'work' }, async () => config))().call(context);

  it('makes batches of the size, named from batch_000', async () => {
    const result = await analyze({ totalItems: 5, batchSize: 3, metadata: { file: 'a.csv' } });
    expect(result.result).toEqual({
      batch_processing_outcome: {
        type: 'create_batches',
        worker_template_name: 'work',
        worker_count: 2,
        cursor_configs: [
          { batch_id: 'batch_000', start_cursor: 0, end_cursor: 3, batch_size: 3 },
          { batch_id: 'batch_001', start_cursor: 3, end_cursor: 5, batch_size: 2 },
        ],
        total_items: 5,
      },
    });
    expect(result.metadata).toEqual({ batch_count: 2, total_items: 5, file: 'a.csv' });
  });

  it('makes no batch of no items: that is still create_batches', async () => {
    expect((await analyze({ totalItems: 0, batchSize: 3 })).result).toMatchObject({
      batch_processing_outcome: { type: 'create_batches', worker_count: 0, cursor_configs: [], total_items: 0 },
    });
  });

  it('fails when the size is none', async () => {
    expect(await analyze({ totalItems: 5, batchSize: 0 })).toMatchObject({
      success: false,
      errorMessage: 'batchSize must be > 0',
    });
  });
});

describe('a batch worker', () => {
  const seen = async (step: StepContext) => {
    let batch: BatchWorkerContext | null | undefined;
    await new (defineBatchWorker('csv.work', {}, async ({ batchContext }) => {
      batch = batchContext;
    }))().call(step);
    return batch;
  };

  it('gets its batch', async () => {
    expect(await seen(context)).toMatchObject({ batchId: '001', startCursor: 0, endCursor: 3 });
  });

  it('gets null in a step without one', async () => {
    expect(await seen(stepContext())).toBeNull();
  });
});

describe('a handler of an API made of a function', () => {
  const options = { baseUrl: 'https://api.example', defaultTimeout: 5, defaultHeaders: { 'X-Api-Key': 'key' } };

  it('gets itself as the API, with the service that its options name', async () => {
    let given: unknown;
    const Fetch = defineApiHandler('shop.fetch', options, async ({ api }) => {
      given = api;
    });
    const handler = new Fetch();
    await handler.call(context);
    expect(given).toBe(handler);
    expect(handler).toMatchObject({
      baseUrl: 'https://api.example',
      timeout: 5,
      defaultHeaders: options.defaultHeaders,
    });
    expect({ ...Fetch }).toMatchObject(options);
    expect(handler.capabilities).toEqual(['process']);
  });

  it('waits 30 seconds and sends no headers unless told otherwise', () => {
    const Fetch = defineApiHandler('shop.fetch', { baseUrl: 'https://api.example' }, () => ({}));
    expect({ ...Fetch }).toMatchObject({ defaultTimeout: 30_000, defaultHeaders: {} });
  });

  it('has the requests and results of an API before it is called', () => {
    const api = new (defineApiHandler('shop.fetch', options, () => ({})))() as unknown as APICapable;
    const names = [
      'get',
      'post',
      'put',
      'patch',
      'delete',
      'request',
      'apiSuccess',
      'apiFailure',
      'connectionError',
      'timeoutError',
    ] as const;
    for (const name of names) {
      expect(typeof api[name]).toBe('function');
    }
  });

  it('returns what the service answered', async () => {
    const sent = service({ body: '{"id":7}' });
    const Fetch = defineApiHandler('shop.fetch', { ...options, inputs: { id: 'order_id' } }, async ({ api, id }) =>
      api.apiSuccess(await api.get(`/orders/${id}`)),
    );
    expect(await new Fetch().call(context)).toMatchObject({ success: true, result: { id: 7 } });
    expect(sent).toMatchObject([{ url: 'https://api.example/orders/7', headers: { 'X-Api-Key': 'key' } }]);
  });
});
