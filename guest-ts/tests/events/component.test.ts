/** The exports `publishers` and `subscribers`, called as the host calls them. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { PackageModules } from '../../src/component/index.js';
import type { WitPublishers, WitSubscribers } from '../../src/component/wit.js';
import * as sdk from '../../src/index.js';
import type { hostLog as HostLog } from '../host/log.js';

type Component = typeof import('../../src/component/index.js');

let component: Component;
let hostLog: typeof HostLog;
let fresh: typeof sdk;

/** A component has module state of its own. */
beforeEach(async () => {
  vi.resetModules();
  component = await import('../../src/component/index.js');
  fresh = await import('../../src/index.js');
  ({ hostLog } = await import('../host/log.js'));
});

const modules = (...discover: PackageModules['discover']): PackageModules => ({ discover, table: {} });

/** As the classes of a package are: of the SDK that is in the component. */
function payments() {
  return class PaymentPublisher extends fresh.BasePublisher {
    readonly publisherName: string = 'payments';
    override transformPayload({ result, success }: sdk.StepResult): unknown {
      return { total: result?.amount, success };
    }
  };
}

const request = (publisher: string, changes: Record<string, unknown> = {}) => ({
  publisher,
  context: JSON.stringify({
    declaration: {
      name: 'payment.processed',
      description: 'd',
      condition: 'success',
      deliveryMode: 'fast',
      schema: {},
    },
    stepResult: { success: true, result: { amount: 12 }, metadata: { zone: 'eu' } },
    stepContext: {
      taskUuid: 'task',
      stepUuid: 'step',
      stepName: 'pay',
      namespace: 'shop',
      correlationId: 'correlation',
      metadata: {},
    },
    ...changes,
  }),
});

async function prepared(publishers: WitPublishers, ...given: Parameters<typeof request>) {
  const decision = await publishers.prepare(request(...given));
  if (decision.tag === 'skip') {
    return 'skip';
  }
  return { payload: JSON.parse(decision.val.payload), metadata: JSON.parse(decision.val.metadata) };
}

describe("a package's publishers", () => {
  const listed = (...discover: PackageModules['discover']) =>
    component.snapshotPublishers(modules(...discover)).listPublishers();

  it('are what its modules export, as classes or instances, under the name of either form', () => {
    const Payments = payments();
    class Documented extends fresh.BasePublisher {
      static publisherName = 'documented';
    }
    class Getter extends fresh.BasePublisher {
      get publisherName(): string {
        return 'getter';
      }
    }
    class Parametrised extends Payments {
      constructor(override readonly publisherName: string) {
        super();
      }
    }
    const found = listed(
      { Payments, Documented, helper: () => 1, nothing: null },
      {
        getter: new Getter(),
        a: new Parametrised('a'),
        b: new Parametrised('b'),
      },
    );
    expect(found.map(({ name }) => name).sort()).toEqual(['a', 'b', 'documented', 'getter', 'payments']);
  });

  it('are what they register when they load, once though they export it too', () => {
    const Payments = payments();
    fresh.PublisherRegistry.instance.register(new Payments());
    expect(listed({ Payments })).toEqual([{ name: 'payments', reports: false }]);
  });

  it('are not the classes that others extend', () => {
    abstract class Base extends fresh.BasePublisher {}
    const { BasePublisher, DefaultPublisher } = fresh;
    expect(listed({ Base, BasePublisher, DefaultPublisher })).toEqual([]);
  });

  it('may come from another copy of the SDK', async () => {
    class Foreign extends sdk.BasePublisher {
      readonly publisherName = 'foreign';
    }
    expect(listed({ Foreign })).toMatchObject([{ name: 'foreign' }]);
    expect(await prepared(component.snapshotPublishers(modules({ Foreign })), 'foreign')).toMatchObject({
      payload: { amount: 12 },
    });
  });

  it.each(['afterPublish', 'onPublishError'])('report when they override %s', (hook) => {
    const Reporting = payments();
    Object.defineProperty(Reporting.prototype, hook, { value: () => {} });
    expect(listed({ Reporting })).toEqual([{ name: 'payments', reports: true }]);
  });

  it('may not share a name', () => {
    const First = payments();
    class Second extends payments() {}
    expect(() => listed({ First, Second })).toThrow(
      "Two publishers are named 'payments': PaymentPublisher and Second. Give each its own publisherName.",
    );
  });

  it('are listed though they cannot be constructed; a call says why', async () => {
    class Unbuildable extends fresh.BasePublisher {
      readonly publisherName = 'never read';
      constructor() {
        super();
        throw new RangeError('no key');
      }
    }
    const publishers = component.snapshotPublishers(modules({ Unbuildable, Payments: payments() }));
    expect(publishers.listPublishers().map(({ name }) => name)).toEqual(['Unbuildable', 'payments']);
    await expect(publishers.prepare(request('Unbuildable'))).rejects.toBe(
      'Error: Unbuildable cannot be constructed: no key',
    );
    expect(await prepared(publishers, 'payments')).toHaveProperty('payload');
  });

  it('may have a name that only an instance can tell', async () => {
    class Configured extends fresh.BasePublisher {
      private readonly settings = { name: 'configured' };
      get publisherName(): string {
        return this.settings.name;
      }
    }
    const publishers = component.snapshotPublishers(modules({ Configured, Payments: payments() }));
    expect(publishers.listPublishers().map(({ name }) => name)).toEqual(['configured', 'payments']);
    expect(await prepared(publishers, 'configured')).toMatchObject({ payload: { amount: 12 } });
    expect(await prepared(publishers, 'payments')).toHaveProperty('payload');
  });

  it('are listed without a host import', () => {
    listed({ Payments: payments() });
    expect([hostLog.asked, hostLog.records]).toEqual([[], []]);
  });
});

describe('preparing an event', () => {
  it('gives its payload and metadata', async () => {
    const publishers = component.snapshotPublishers(modules({ Payments: payments() }));
    expect(await prepared(publishers, 'payments')).toEqual({
      payload: { total: 12, success: true },
      metadata: {
        publisher: 'payments',
        publishedAt: expect.stringMatching(/Z$/),
        taskUuid: 'task',
        stepUuid: 'step',
        stepName: 'pay',
        namespace: 'shop',
      },
    });
  });

  it('shows the publisher the declaration and the step', async () => {
    const seen = vi.fn((..._given: unknown[]) => ({}));
    const Payments = payments();
    Payments.prototype.transformPayload = seen;
    await prepared(component.snapshotPublishers(modules({ Payments })), 'payments');
    expect(seen).toHaveBeenCalledWith(
      { success: true, result: { amount: 12 }, metadata: { zone: 'eu' } },
      {
        name: 'payment.processed',
        description: 'd',
        condition: 'success',
        deliveryMode: 'fast',
        schema: {},
        publisher: 'payments',
      },
      {
        taskUuid: 'task',
        stepUuid: 'step',
        stepName: 'pay',
        namespace: 'shop',
        correlationId: 'correlation',
        metadata: {},
        result: { amount: 12 },
      },
    );
  });

  it('of a step without a result works in both forms', async () => {
    class Documented extends fresh.BasePublisher {
      static publisherName = 'documented';
      publishesFor(): string[] {
        return [];
      }
      override async transformPayload(context: sdk.StepEventContext): Promise<Record<string, unknown>> {
        return { total: context.result?.amount ?? 'none' };
      }
    }
    const publishers = component.snapshotPublishers(modules({ Payments: payments(), Documented }));
    const failed = { stepResult: { success: false, result: null, metadata: {} } };
    expect(await prepared(publishers, 'payments', failed)).toMatchObject({ payload: { success: false } });
    expect(await prepared(publishers, 'documented', failed)).toMatchObject({ payload: { total: 'none' } });
  });

  it('is the default without a publisher of the package', async () => {
    expect(await prepared(component.snapshotPublishers(modules()), 'default')).toMatchObject({
      payload: { amount: 12 },
    });
  });

  it.each([
    ['shouldPublish', () => false, 'skip'],
    ['shouldPublish', async () => false, 'skip'],
    ['beforePublish', () => false, 'skip'],
    ['beforePublish', async () => false, 'skip'],
    ['beforePublish', () => undefined, expect.anything()],
  ])('skips it when %s says so (%o)', async (hook, answer, expected) => {
    const Payments = payments();
    Object.defineProperty(Payments.prototype, hook, { value: answer });
    expect(await prepared(component.snapshotPublishers(modules({ Payments })), 'payments')).toEqual(expected);
  });

  it.each(['shouldPublish', 'transformPayload', 'additionalMetadata', 'beforePublish'])(
    'says what %s threw, with its class',
    async (hook) => {
      const Payments = payments();
      for (const value of [
        () => {
          throw new RangeError('no amount');
        },
        () => Promise.reject(new RangeError('no amount')),
      ]) {
        Object.defineProperty(Payments.prototype, hook, { value, configurable: true });
        const publishers = component.snapshotPublishers(modules({ Payments }));
        await expect(publishers.prepare(request('payments'))).rejects.toBe('RangeError: no amount');
      }
    },
  );

  it('tells the publisher what its beforePublish threw', async () => {
    const Payments = payments();
    const told = vi.fn();
    Object.defineProperty(Payments.prototype, 'beforePublish', { value: () => Promise.reject(new RangeError('no')) });
    Object.defineProperty(Payments.prototype, 'onPublishError', { value: told });
    await expect(component.snapshotPublishers(modules({ Payments })).prepare(request('payments'))).rejects.toBe(
      'RangeError: no',
    );
    expect(told).toHaveBeenCalledWith('payment.processed', new RangeError('no'), { total: 12, success: true });
  });

  it.each([
    [
      'a cycle',
      () => {
        const payload: Record<string, unknown> = {};
        payload.self = payload;
        return payload;
      },
      /^TypeError: .*circular/,
    ],
    ['a bigint', () => ({ total: 1n }), /^TypeError: .*BigInt/],
  ])('says so when the payload is %s', async (_what, value, reason) => {
    const Payments = payments();
    Object.defineProperty(Payments.prototype, 'transformPayload', { value });
    await expect(component.snapshotPublishers(modules({ Payments })).prepare(request('payments'))).rejects.toMatch(
      reason as RegExp,
    );
  });

  it('says so when the publisher threw a value that is no error', async () => {
    const Payments = payments();
    const thrown = ['just text', undefined, { a: 1 }];
    Object.defineProperty(Payments.prototype, 'transformPayload', {
      value() {
        throw thrown.shift();
      },
    });
    const publishers = component.snapshotPublishers(modules({ Payments }));
    for (const reason of ['just text', 'undefined', '{"a":1}']) {
      await expect(publishers.prepare(request('payments'))).rejects.toContain(reason);
    }
  });

  it('names the publishers there are when the wanted one is not among them', async () => {
    const publishers = component.snapshotPublishers(modules({ Payments: payments() }));
    await expect(publishers.prepare(request('refunds'))).rejects.toBe(
      "Error: no publisher is called 'refunds'; the component has payments",
    );
  });

  it('says so when the context cannot be read', async () => {
    const publishers = component.snapshotPublishers(modules({ Payments: payments() }));
    await expect(publishers.prepare({ publisher: 'payments', context: '{' })).rejects.toMatch(/^SyntaxError: /);
    await expect(publishers.prepare({ publisher: 'payments', context: '{}' })).rejects.toMatch(/^TypeError: /);
  });

  it('logs to the host', async () => {
    const Payments = payments();
    Payments.prototype.beforePublish = function (this: { logger: sdk.EventLogger }, eventName: unknown) {
      this.logger.info({ event_name: eventName }, 'about to publish');
    };
    await prepared(component.snapshotPublishers(modules({ Payments })), 'payments');
    expect(hostLog.records).toEqual([
      {
        level: 'info',
        message: 'about to publish',
        fields: { component: 'domain-events', event_name: 'payment.processed' },
      },
    ]);
  });
});

describe('how an event fared', () => {
  const publication = { payload: '{"total":12}', metadata: '{"publishedAt":"2020"}' };

  function reporting(afterPublish: (...given: unknown[]) => unknown = () => {}) {
    const Payments = payments();
    const told = { after: vi.fn(afterPublish), error: vi.fn() };
    Object.defineProperty(Payments.prototype, 'afterPublish', { value: told.after });
    Object.defineProperty(Payments.prototype, 'onPublishError', { value: told.error });
    return { told, publishers: component.snapshotPublishers(modules({ Payments })) };
  }

  it('is told to its publisher when it left', async () => {
    const { told, publishers } = reporting();
    await publishers.published(request('payments'), publication, undefined);
    expect(told.after).toHaveBeenCalledWith('payment.processed', { total: 12 }, { publishedAt: '2020' });
    expect(told.error).not.toHaveBeenCalled();
  });

  it('is told to its publisher when it did not', async () => {
    const { told, publishers } = reporting();
    await publishers.published(request('payments'), publication, 'does not fit its schema');
    expect(told.after).not.toHaveBeenCalled();
    expect(told.error).toHaveBeenCalledWith('payment.processed', new Error('does not fit its schema'), { total: 12 });
  });

  it('is told to a publisher of the documented form with the event', async () => {
    const told = vi.fn(async (..._given: unknown[]) => {});
    class Documented extends fresh.BasePublisher {
      static publisherName = 'documented';
      publishesFor(): string[] {
        return [];
      }
    }
    Object.defineProperty(Documented.prototype, 'afterPublish', { value: told });
    await component
      .snapshotPublishers(modules({ Documented }))
      .published(request('documented'), publication, undefined);
    expect(told).toHaveBeenCalledWith(
      expect.objectContaining({ stepName: 'pay', result: { amount: 12 } }),
      expect.objectContaining({ eventName: 'payment.processed', businessPayload: { total: 12 } }),
    );
  });

  it('can make the publisher fail without an effect but a record', async () => {
    const { told, publishers } = reporting(() => {
      throw new RangeError('no');
    });
    told.error.mockImplementation(() => {
      throw new TypeError('neither');
    });
    await publishers.published(request('payments'), publication, undefined);
    await publishers.published(request('refunds'), publication, undefined);
    expect(hostLog.records).toMatchObject([
      { level: 'error', fields: { publisher: 'payments', error: 'TypeError: neither' } },
      { level: 'error', fields: { publisher: 'refunds', error: expect.stringContaining('no publisher is called') } },
    ]);
  });
});

describe("a package's subscribers", () => {
  const listed = (...discover: PackageModules['discover']) =>
    component.snapshotSubscribers(modules(...discover)).listSubscriptions();

  it('are what its modules export or register, with the patterns of either form', () => {
    class Metrics extends fresh.BaseSubscriber {
      handle(): void {}
    }
    class Payments extends Metrics {
      static override subscribesTo(): string[] {
        return ['payment.*'];
      }
    }
    class Documented extends Metrics {
      static subscriberName = 'documented';
      subscribesTo(): string[] {
        return ['order.paid', 'order.sent'];
      }
    }
    class Registered extends Metrics {}
    fresh.SubscriberRegistry.instance.register(Registered);
    fresh.SubscriberRegistry.instance.registerInstance(new Payments());
    const { BaseSubscriber } = fresh;
    expect(listed({ Metrics, Payments, documented: new Documented(), BaseSubscriber, other: 1 })).toEqual([
      { subscriber: 'Payments', patterns: ['payment.*'] },
      { subscriber: 'documented', patterns: ['order.paid', 'order.sent'] },
      { subscriber: 'Registered', patterns: ['*'] },
      { subscriber: 'Metrics', patterns: ['*'] },
    ]);
  });

  it('may not share a name', () => {
    class A extends fresh.BaseSubscriber {
      static subscriberName = 'audit';
      handle(): void {}
    }
    class B extends A {}
    expect(() => listed({ A, B })).toThrow(
      "Two subscribers are named 'audit': A and B. Give each its own subscriberName.",
    );
  });
});

describe('an event for a subscriber', () => {
  const event = {
    eventId: 'e',
    eventName: 'payment.processed',
    eventVersion: '1.0',
    payload: { total: 12 },
    metadata: {
      taskUuid: 'task',
      stepUuid: 'step',
      stepName: 'pay',
      namespace: 'shop',
      correlationId: 'correlation',
      firedAt: '2020-01-01T00:00:00Z',
      firedBy: 'payments',
    },
    executionResult: { success: true, result: { amount: 12 } },
  };

  function subscribed(
    handle: (event: sdk.DomainEvent) => unknown,
    hooks: Record<string, unknown> = {},
  ): WitSubscribers {
    class Audit extends fresh.BaseSubscriber {
      handle(given: sdk.DomainEvent): void {
        handle(given) as undefined;
      }
    }
    for (const [name, value] of Object.entries({ handle, ...hooks })) {
      Object.defineProperty(Audit.prototype, name, { value });
    }
    return component.snapshotSubscribers(modules({ Audit }));
  }

  it('reaches its handle, in the shape subscribers know', async () => {
    const handle = vi.fn();
    await subscribed(handle).onEvent('Audit', JSON.stringify(event));
    expect(handle).toHaveBeenCalledWith({
      eventId: 'e',
      eventName: 'payment.processed',
      payload: { total: 12 },
      businessPayload: { total: 12 },
      metadata: {
        taskUuid: 'task',
        stepUuid: 'step',
        stepName: 'pay',
        namespace: 'shop',
        correlationId: 'correlation',
        firedAt: '2020-01-01T00:00:00Z',
        publisher: 'payments',
        eventVersion: '1.0',
      },
      executionResult: { success: true, result: { amount: 12 } },
    });
  });

  it('runs the hooks around it, each waited for', async () => {
    const order: string[] = [];
    const slowly = (name: string, answer?: unknown) => async () => {
      await Promise.resolve();
      order.push(name);
      return answer;
    };
    const subscribers = subscribed(slowly('handle', { success: true }), {
      beforeHandle: slowly('before'),
      afterHandle: slowly('after'),
    });
    await subscribers.onEvent('Audit', JSON.stringify(event));
    expect(order).toEqual(['before', 'handle', 'after']);
  });

  it('is left out when beforeHandle returns false', async () => {
    const handle = vi.fn();
    await subscribed(handle, { beforeHandle: async () => false }).onEvent('Audit', JSON.stringify(event));
    expect(handle).not.toHaveBeenCalled();
  });

  it.each(['beforeHandle', 'handle', 'afterHandle'])(
    'says what %s threw, to the subscriber and the host',
    async (hook) => {
      const told = vi.fn();
      const subscribers = subscribed(() => {}, {
        [hook]: async () => {
          throw new RangeError('over the limit');
        },
        onHandleError: told,
      });
      await expect(subscribers.onEvent('Audit', JSON.stringify(event))).rejects.toBe('RangeError: over the limit');
      expect(told).toHaveBeenCalledWith(expect.objectContaining({ eventId: 'e' }), new RangeError('over the limit'));
    },
  );

  it('counts as not handled when the subscriber says so', async () => {
    const subscribers = subscribed(() => ({ success: false, reason: 'closed' }));
    await expect(subscribers.onEvent('Audit', JSON.stringify(event))).rejects.toBe(
      'Error: it returned {"success":false,"reason":"closed"}',
    );
  });

  it('says so when it cannot be read or nobody is called so', async () => {
    const subscribers = subscribed(() => {});
    await expect(subscribers.onEvent('Audit', '{')).rejects.toMatch(/^SyntaxError: /);
    await expect(subscribers.onEvent('Nobody', JSON.stringify(event))).rejects.toBe(
      "Error: no subscriber is called 'Nobody'; the component has Audit",
    );
  });
});

describe('a component whose modules load in the first call', () => {
  it('lists what it has without loading them, and then loads them once', async () => {
    class Audit extends fresh.BaseSubscriber {
      handle(): void {}
    }
    const load = vi.fn(async () => ({ modules: modules({ Payments: payments(), Audit }) }));
    const publishers = component.lazyPublishers([{ name: 'payments', reports: false }], load);
    const subscribers = component.lazySubscribers([{ subscriber: 'Audit', patterns: ['*'] }], load);
    expect(publishers.listPublishers()).toEqual([{ name: 'payments', reports: false }]);
    expect(subscribers.listSubscriptions()).toEqual([{ subscriber: 'Audit', patterns: ['*'] }]);
    expect(load).not.toHaveBeenCalled();
    await prepared(publishers, 'payments');
    await prepared(publishers, 'payments');
    expect(load).toHaveBeenCalledOnce();
    await expect(subscribers.onEvent('Audit', '{"metadata":{}}')).resolves.toBeUndefined();
  });

  it('says why they failed to load', async () => {
    const load = () => Promise.reject(new RangeError('no key'));
    const reason = "Error: the package's modules failed to load: no key";
    await expect(component.lazyPublishers([], load).prepare(request('payments'))).rejects.toBe(reason);
    await expect(component.lazySubscribers([], load).onEvent('Audit', '{}')).rejects.toBe(reason);
  });
});
