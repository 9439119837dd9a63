import { beforeEach, describe, expect, it, vi } from 'vitest';
import { dispatch } from '../src/component/dispatch.js';
import {
  BatchableStepHandler,
  ClassLookupResolver,
  ErrorType,
  ExplicitMappingResolver,
  type HandlerEntry,
  PermanentError,
  ResolverChain,
  RetryableError,
  type StepContext,
  StepHandler,
  StepHandlerResult,
} from '../src/index.js';
import { setModuleTable } from '../src/registry/class-lookup.js';
import { Charge, Ship, Unbuildable } from './handlers.js';
import { dispatchErrorOf, failureOf, flatEvent, nestedEvent, successOf, witContext } from './support.js';

let explicit: ExplicitMappingResolver;
let chain: ResolverChain;

beforeEach(() => {
  explicit = new ExplicitMappingResolver();
  chain = ResolverChain.withResolvers([explicit, new ClassLookupResolver()]);
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

type Call = (context: StepContext) => unknown;

/** A handler whose call does as told, under the name `x`. */
function handling(call: Call): ReturnType<typeof witContext> {
  class Handler extends StepHandler {
    static override handlerName = 'x';
    async call(context: StepContext): Promise<StepHandlerResult> {
      return (await call(context)) as StepHandlerResult;
    }
  }
  explicit.register('x', Handler);
  return witContext('x');
}

const run = (context: ReturnType<typeof witContext>) => dispatch(chain, context);
const throwing = (value: unknown) =>
  run(
    handling(() => {
      throw value;
    }),
  );
const returning = (value: unknown) => run(handling(() => value));

describe('a call that reaches no handler', () => {
  it('without a callable is a permanent failure', async () => {
    expect(await failureOf(run(witContext('')))).toEqual({
      message: 'No handler name found in step definition',
      errorType: { tag: 'permanent-error' },
      errorCode: undefined,
      retryable: false,
      metadata: '{}',
      backtrace: [],
    });
  });

  it('names the callable nobody knows', async () => {
    expect(await dispatchErrorOf(() => run(witContext('Shop.Nothing')))).toEqual({
      tag: 'handler-not-found',
      val: 'Shop.Nothing',
    });
  });

  it.each(['whisper', 'toString', 'constructor', 'success', '__proto__'])(
    'names the method %s the handler lacks, and does not run call instead',
    async (method) => {
      const call = vi.fn();
      handling(call);
      expect(await dispatchErrorOf(() => run(witContext('x', { method })))).toEqual({
        tag: 'method-not-found',
        val: ['x', method],
      });
      expect(call).not.toHaveBeenCalled();
    },
  );

  it('names a method the handler has from the SDK: it is not written to run a step', async () => {
    class Work extends BatchableStepHandler {
      static override handlerName = 'x';
      async call(): Promise<StepHandlerResult> {
        return this.success({});
      }
    }
    explicit.register('x', Work);
    for (const method of ['handleNoOpWorker', 'noBatchesResult']) {
      expect(await dispatchErrorOf(() => run(witContext('x', { method })))).toEqual({
        tag: 'method-not-found',
        val: ['x', method],
      });
    }
  });

  it('names the resolver that does not exist', async () => {
    explicit.register('x', Charge);
    expect(await dispatchErrorOf(() => run(witContext('x', { resolver: 'nobody' })))).toEqual({
      tag: 'resolver-not-found',
      val: 'nobody',
    });
  });

  it.each<[string, HandlerEntry, RegExp]>([
    ['constructor', Unbuildable, /^x: Failed to instantiate Unbuildable: no handler today$/],
    [
      'factory',
      () => {
        throw new Error('no parts');
      },
      /^x: Factory failed: no parts$/,
    ],
  ])('says what the %s threw', async (_what, entry, message) => {
    explicit.register('x', entry);
    expect(await dispatchErrorOf(() => run(witContext('x')))).toEqual({
      tag: 'handler-init-failed',
      val: expect.stringMatching(message),
    });
  });

  it('says what a resolver threw', async () => {
    chain.addResolver({
      name: 'broken',
      priority: 1,
      canResolve: () => true,
      resolve: async () => {
        throw new Error('index out of date');
      },
    });
    expect(await dispatchErrorOf(() => run(witContext('x')))).toEqual({
      tag: 'handler-init-failed',
      val: 'x: index out of date',
    });
  });

  it.each(['not json', '"text"', '[]', 'null', '7'])('says that the event %s is not a JSON object', async (event) => {
    handling(() => StepHandlerResult.success({}));
    expect(await dispatchErrorOf(() => run(witContext('x', { event })))).toEqual({
      tag: 'invalid-context',
      val: expect.stringMatching(/^(the )?event .*JSON/),
    });
  });
});

describe('a call that reaches its handler', () => {
  it.each([
    ['flat', () => flatEvent()],
    ['nested', () => nestedEvent()],
  ])('shows it the %s event as a context', async (_form, event) => {
    handling((context) =>
      StepHandlerResult.success({
        order: context.getInput('order_id'),
        total: context.getDependencyField('validate', 'total', 'cents'),
        currency: context.getConfig('currency'),
        shard: context.stepInputs.shard,
        attempts: [context.retryCount, context.maxRetries],
        handler: context.handlerName,
      }),
    );
    expect((await successOf(run(witContext('x', { event: event() })))).result).toEqual({
      order: 7,
      total: 1250,
      currency: 'EUR',
      shard: 3,
      attempts: [1, 5],
      handler: 'x',
    });
  });

  it('runs the method the step names', async () => {
    explicit.register('Shop.Charge', Charge);
    const { result } = await successOf(run(witContext('Shop.Charge', { method: 'refund' })));
    expect(result).toEqual({ entry: 'refund', currency: 'EUR' });
  });

  it.each(['call', ''])('runs call for the method %j', async (method) => {
    explicit.register('Shop.Charge', Charge);
    const { result } = await successOf(run(witContext('Shop.Charge', { method })));
    expect(result).toEqual({ entry: 'call', currency: 'EUR' });
  });

  it('asks only the resolver the step names', async () => {
    const own = new ExplicitMappingResolver('own');
    own.register('x', Ship);
    chain.addResolver(own);
    explicit.register('x', Charge);
    expect((await successOf(run(witContext('x', { resolver: 'own' })))).result).toEqual({ entry: 'ship' });
    own.unregister('x');
    expect(await dispatchErrorOf(() => run(witContext('x', { resolver: 'own' })))).toMatchObject({
      tag: 'handler-not-found',
    });
  });

  it('waits for a resolver that takes time', async () => {
    chain.addResolver({
      name: 'slow',
      priority: 1,
      canResolve: () => true,
      resolve: () => new Promise((resolve) => setTimeout(() => resolve(new Ship()))),
    });
    expect((await successOf(run(witContext('anything')))).result).toEqual({ entry: 'ship' });
  });

  it('finds a handler by the path of its module', async () => {
    setModuleTable({ './ship': { Ship } });
    expect((await successOf(run(witContext('./ship')))).result).toEqual({ entry: 'ship' });
    setModuleTable({});
  });

  it('constructs the handler anew', async () => {
    const instances = new Set<StepHandler>();
    class Handler extends StepHandler {
      static override handlerName = 'x';
      async call(): Promise<StepHandlerResult> {
        instances.add(this);
        return this.success({});
      }
    }
    explicit.register('x', Handler);
    await run(witContext('x'));
    await run(witContext('x'));
    expect(instances.size).toBe(2);
  });
});

describe('what a handler returns', () => {
  it('is passed on as a success', async () => {
    expect(await successOf(returning(StepHandlerResult.success({ a: [1] }, { took: 3 })))).toEqual({
      result: { a: [1] },
      metadata: { took: 3 },
    });
  });

  it('may be a success without a result', async () => {
    expect(await successOf(returning(new StepHandlerResult({ success: true })))).toEqual({
      result: null,
      metadata: {},
    });
  });

  it('is passed on as a failure', async () => {
    const result = StepHandlerResult.failure('declined', 'dependency_error', false, { card: 'x' }, 'E_CARD');
    expect(await failureOf(returning(result))).toEqual({
      message: 'declined',
      errorType: { tag: 'other', val: 'dependency_error' },
      errorCode: 'E_CARD',
      retryable: false,
      metadata: '{"card":"x"}',
      backtrace: [],
    });
  });

  it.each([
    [ErrorType.PERMANENT_ERROR, 'permanent-error'],
    [ErrorType.RETRYABLE_ERROR, 'retryable-error'],
    [ErrorType.VALIDATION_ERROR, 'validation-error'],
    [ErrorType.TIMEOUT, 'timeout'],
    [ErrorType.HANDLER_ERROR, 'handler-error'],
  ])('with the standard error type %s has its own case', async (errorType, tag) => {
    expect(await failureOf(returning(StepHandlerResult.failure('no', errorType)))).toMatchObject({
      errorType: { tag },
      retryable: true,
    });
  });

  it('as a failure that says nothing is a handler error with a message', async () => {
    expect(await failureOf(returning(new StepHandlerResult({ success: false })))).toMatchObject({
      message: 'The handler failed without a message',
      errorType: { tag: 'handler-error' },
      retryable: true,
    });
  });

  it('may be the result of a second copy of the SDK', async () => {
    const foreign = { ...StepHandlerResult.success({ a: 1 }) };
    expect((await successOf(returning(foreign))).result).toEqual({ a: 1 });
  });

  it.each([
    ['camelCase', { errorContext: 'busy', backoffHint: { backoffType: 'RateLimit', delaySeconds: 9, context: 'c' } }],
    [
      'snake_case',
      { error_context: 'busy', backoff_hint: { backoff_type: 'RateLimit', delay_seconds: 9, context: 'c' } },
    ],
  ])('carries advice to the orchestration written in %s, failed or not', async (_casing, advice) => {
    const metadata = {
      a: 1,
      orchestration_metadata: {
        headers: { h: 'v' },
        error_context: 'busy',
        backoff_hint: { backoff_type: 'RateLimit', delay_seconds: 9, context: 'c' },
        custom: { k: 1 },
      },
    };
    const result = (success: boolean) =>
      new StepHandlerResult({
        success,
        metadata: { a: 1 },
        orchestrationMetadata: { headers: { h: 'v' }, custom: { k: 1 }, ...advice },
      });
    expect((await successOf(returning(result(true)))).metadata).toEqual(metadata);
    expect(JSON.parse((await failureOf(returning(result(false)))).metadata)).toEqual(metadata);
  });
});

describe('what is not a result', () => {
  it.each([
    [42, 'a number'],
    ['done', 'a string'],
    [true, 'a boolean'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ total: 1 }, 'an object'],
    [{ success: 'yes' }, 'an object'],
    [[1], 'an array'],
    [() => 1, 'a function'],
    [10n, 'a bigint'],
    [Symbol('s'), 'a symbol'],
  ])('fails for good, naming the handler and what came: %o', async (value, kind) => {
    expect(await failureOf(returning(value))).toMatchObject({
      message: expect.stringMatching(new RegExp(`^Handler x returned ${kind}, not a StepHandlerResult`)),
      errorType: { tag: 'other', val: 'invalid_result' },
      retryable: false,
    });
  });

  it('fails, not the component, when it cannot even be looked at', async () => {
    await failureOf(returning(hostile()));
  });
});

describe('a result without a JSON form', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;

  it.each([
    ['a cycle in the result', () => StepHandlerResult.success(cycle)],
    ['a BigInt in the result', () => StepHandlerResult.success({ amount: 10n })],
    ['a function as the result', () => StepHandlerResult.success((() => 1) as never)],
    ['a cycle in the metadata', () => StepHandlerResult.success({}, cycle)],
    ["a BigInt in a failure's metadata", () => StepHandlerResult.failure('no', 'x', true, { amount: 10n })],
    [
      'a toJSON that throws',
      () =>
        StepHandlerResult.success({
          toJSON() {
            throw new Error('will not');
          },
        }),
    ],
  ])('fails for good: %s', async (_what, result) => {
    const failure = await failureOf(returning(result()));
    expect(failure).toMatchObject({
      message: expect.stringContaining('The result of handler x cannot be stored as JSON: '),
      errorType: { tag: 'other', val: 'SERIALIZATION_ERROR' },
      retryable: false,
    });
    const { custom } = JSON.parse(failure.metadata);
    expect(custom.serialization_error).not.toBe('');
    expect(custom.ffi_serialization_error).toBe(custom.serialization_error);
  });

  it('is explained in 500 characters at most', async () => {
    const result = StepHandlerResult.success({
      toJSON() {
        throw new Error('x'.repeat(10_000));
      },
    });
    expect((await failureOf(returning(result))).message).toHaveLength(500);
  });
});

describe('what a handler throws', () => {
  class OutOfStock extends Error {}

  it('is a retryable failure of its class, with its stack', async () => {
    const failure = await failureOf(throwing(new OutOfStock('no shoes')));
    expect(failure).toMatchObject({
      message: 'no shoes',
      errorType: { tag: 'other', val: 'OutOfStock' },
      retryable: true,
      metadata: '{}',
    });
    expect(failure.backtrace.join('\n')).toContain('dispatch.test.ts');
    expect(failure.backtrace.length).toBeLessThanOrEqual(50);
  });

  it('is the same thrown before the first await or by a call that is no promise', async () => {
    class Plain extends StepHandler {
      static override handlerName = 'plain';
      call(): Promise<StepHandlerResult> {
        throw new OutOfStock('no shoes');
      }
    }
    explicit.register('plain', Plain);
    expect(await failureOf(run(witContext('plain')))).toMatchObject({ message: 'no shoes', retryable: true });
  });

  it('is not retryable when it is a PermanentError', async () => {
    expect(await failureOf(throwing(new PermanentError('no use', { account: 'A-1' })))).toMatchObject({
      message: 'no use',
      errorType: { tag: 'other', val: 'PermanentError' },
      retryable: false,
      metadata: '{"account":"A-1"}',
    });
  });

  it('is not retryable when its class extends PermanentError', async () => {
    class AccountClosed extends PermanentError {}
    expect(await failureOf(throwing(new AccountClosed('no use')))).toMatchObject({
      errorType: { tag: 'other', val: 'AccountClosed' },
      retryable: false,
    });
  });

  it('is retryable when it is a RetryableError', async () => {
    expect(await failureOf(throwing(new RetryableError('later', { after: 3 })))).toMatchObject({
      message: 'later',
      errorType: { tag: 'other', val: 'RetryableError' },
      retryable: true,
      metadata: '{"after":3}',
    });
  });

  it.each([
    ['text', 'just a string', 'just a string', 'String'],
    ['empty text', '', 'Handler threw ""', 'String'],
    ['a number', 42, 'Handler threw 42', 'Number'],
    ['undefined', undefined, 'Handler threw undefined', 'UnknownError'],
    ['null', null, 'Handler threw null', 'UnknownError'],
    ['a symbol', Symbol('s'), 'Handler threw Symbol(s)', 'Symbol'],
    ['an object', { code: 7 }, 'Handler threw an object: {"code":7}', 'Object'],
    ['an object with a message', { message: 'half an error' }, 'half an error', 'Object'],
    ['an object without a prototype', Object.create(null), 'Handler threw an object: {}', 'UnknownError'],
    ['an Error without a message', new TypeError(), 'TypeError', 'TypeError'],
    ['an Error whose message is no text', Object.assign(new Error(), { message: 7 }), 'Error', 'Error'],
  ])('may be %s', async (_what, value, message, type) => {
    expect(await failureOf(throwing(value))).toMatchObject({
      message,
      errorType: { tag: 'other', val: type },
      retryable: true,
      metadata: '{}',
    });
  });

  it('may be a value that throws wherever it is touched', async () => {
    expect(await failureOf(throwing(hostile()))).toEqual({
      message: 'Handler threw a value that cannot be read',
      errorType: { tag: 'other', val: 'UnknownError' },
      errorCode: undefined,
      retryable: true,
      metadata: '{}',
      backtrace: [],
    });
  });

  it('may be a revoked proxy', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(await failureOf(throwing(proxy))).toMatchObject({ message: 'Handler threw a value that cannot be read' });
  });

  it('may lie about what it is', async () => {
    const error = Object.assign(new Error('lies'), { stack: 7, metadata: 'text', retryable: 'no' });
    Object.defineProperty(error, 'constructor', { value: { name: 7 } });
    expect(await failureOf(throwing(error))).toMatchObject({
      message: 'lies',
      errorType: { tag: 'other', val: 'UnknownError' },
      retryable: true,
      metadata: '{}',
      backtrace: [],
    });
  });

  it('keeps its message when its metadata has no JSON form', async () => {
    expect(await failureOf(throwing(new PermanentError('no use', { amount: 10n })))).toMatchObject({
      message: 'no use',
      retryable: false,
      metadata: '{}',
    });
  });

  it('is cut to what a person reads', async () => {
    const error = new Error('x'.repeat(100_000));
    error.stack = `${'frame\n'.repeat(10_000)}`;
    const failure = await failureOf(throwing(error));
    expect(failure.message).toHaveLength(8192);
    expect(failure.backtrace).toHaveLength(50);
  });
});

/** Throws wherever it is touched. */
function hostile(): object {
  const touch = () => {
    throw new Error('touched');
  };
  return new Proxy(
    {},
    { get: touch, has: touch, getPrototypeOf: touch, getOwnPropertyDescriptor: touch, ownKeys: touch },
  );
}
