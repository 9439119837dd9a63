/** Subscribers in both forms, their registry, and the poller that drives them outside a component. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BaseSubscriber,
  createDomainEvent,
  createFfiPollAdapter,
  type DomainEvent,
  ffiEventToDomainEvent,
  InProcessDomainEventPoller,
  SubscriberRegistry,
  type SubscriberResult,
} from '../../src/index.js';

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
});

afterEach(() => SubscriberRegistry.instance.reset());

const eventOf = (eventName: string): DomainEvent =>
  createDomainEvent({
    eventId: 'e',
    eventName,
    payload: { amount: 1 },
    metadata: { taskUuid: 't' },
    executionResult: { success: true },
  });

let handled: unknown[] = [];
beforeEach(() => {
  handled = [];
});

class Payments extends BaseSubscriber {
  static override subscribesTo(): string[] {
    return ['payment.*'];
  }
  handle(event: DomainEvent): void {
    handled.push(event.eventName);
  }
}

class Documented extends BaseSubscriber {
  static subscriberName = 'documented';

  subscribesTo(): string[] {
    return ['order.paid', 'order.s*'];
  }
  async handle(event: DomainEvent): Promise<SubscriberResult> {
    handled.push(event.eventName);
    return { success: true, note: 'seen' };
  }
  override async afterHandle(_event: DomainEvent, result: SubscriberResult): Promise<void> {
    handled.push(result);
  }
}

class Everything extends BaseSubscriber {
  handle(): void {}
}

describe('the events of a subscriber', () => {
  it.each([
    [Payments, 'payment.processed', true],
    [Payments, 'payment.', true],
    // A dot of a pattern is any character, as in every Tasker worker.
    [Payments, 'payments_x', true],
    [Payments, 'refund.processed', false],
    [Payments, 'a.payment.processed', false],
    [Documented, 'order.paid', true],
    [Documented, 'order.paid.twice', false],
    [Documented, 'order.shipped', true],
    [Everything, 'anything', true],
  ])('%o wants %s: %s', (Type, name, wanted) => {
    expect(new Type().matches(name)).toBe(wanted);
  });

  it('may be named with characters that mean something in a regular expression', () => {
    class Odd extends Payments {
      static override subscribesTo = () => ['a(b+[c', 'x|y'];
    }
    expect(new Odd().matches('a(b+[c')).toBe(true);
    expect(new Odd().matches('x')).toBe(false);
  });

  it('are not told by a field `patterns`, which is said once', () => {
    class Mistaken extends Everything {
      patterns = ['payment.*'];
    }
    expect([new Mistaken().matches('order.paid'), new Mistaken().matches('order.paid')]).toEqual([true, true]);
    expect(
      vi
        .mocked(console.log)
        .mock.calls.flat()
        .filter((line) => line.includes('patterns')),
    ).toHaveLength(1);
  });
});

/** Polls the events, one a poll, until all are handled. */
async function polled(poller: InProcessDomainEventPoller, names: string[]): Promise<void> {
  const waiting = names.map(eventOf);
  await new Promise<void>((resolve) => {
    poller.setPollFunction(() => {
      const event = waiting.shift() ?? null;
      if (event === null) {
        resolve();
      }
      return event;
    });
  });
  poller.stop();
}

describe('a started subscriber', () => {
  it('gets the events it wants, until it is stopped', async () => {
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1 });
    const subscriber = new Payments();
    subscriber.start(poller);
    subscriber.start(poller);
    expect([subscriber.active, subscriber.subscriptions]).toEqual([true, ['payment.*']]);
    poller.start();
    await polled(poller, ['payment.processed', 'order.paid']);
    expect(handled).toEqual(['payment.processed']);

    subscriber.stop();
    expect([subscriber.active, subscriber.subscriptions]).toEqual([false, []]);
    poller.start();
    await polled(poller, ['payment.processed']);
    expect(handled).toEqual(['payment.processed']);
  });

  it('of the documented form hears what its handle returned', async () => {
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1 });
    new Documented().start(poller);
    poller.start();
    await polled(poller, ['order.paid']);
    expect(handled).toEqual(['order.paid', { success: true, note: 'seen' }]);
  });

  it('can leave an event out, with false and nothing else', async () => {
    class Picky extends Payments {
      override beforeHandle(event: DomainEvent) {
        return event.eventName === 'payment.failed' ? false : undefined;
      }
    }
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1 });
    new Picky().start(poller);
    poller.start();
    await polled(poller, ['payment.failed', 'payment.processed']);
    expect(handled).toEqual(['payment.processed']);
  });

  it('hears of its own failure, which nobody else does', async () => {
    class Failing extends Payments {
      override async handle(): Promise<void> {
        throw new RangeError('no');
      }
    }
    const errors = vi.fn();
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1 });
    poller.onError(errors);
    new Failing().start(poller);
    poller.start();
    await polled(poller, ['payment.processed']);
    expect(console.log).toHaveBeenCalledWith(expect.stringMatching(/ERROR: Failing failed to handle the event .*"no"/));
    expect(errors).not.toHaveBeenCalled();
  });
});

describe('the poller', () => {
  it('hands events to callbacks in turn, counts them, and reports what callbacks throw', async () => {
    const seen: string[] = [];
    const errors = vi.fn();
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1, maxEventsPerPoll: 2 });
    poller.onError(errors);
    poller.subscribe('a.*', async (event) => {
      await Promise.resolve();
      seen.push(`first ${event.eventName}`);
    });
    poller.subscribe('a.*', () => {
      throw new RangeError('no');
    });
    poller.subscribe('b.*', () => seen.push('never'));
    poller.unsubscribe('b.*');
    poller.start((event) => seen.push(`all ${event.eventName}`));
    expect(poller.isRunning).toBe(true);
    await polled(poller, ['a.1', 'b.1', 'a.2']);
    expect(seen).toEqual(['first a.1', 'all a.1', 'all b.1', 'first a.2', 'all a.2']);
    expect(errors.mock.calls).toEqual([[new RangeError('no')], [new RangeError('no')]]);
    expect(poller.stats).toMatchObject({ eventsProcessed: 3, eventsLagged: 1, running: false });
    expect(poller.isRunning).toBe(false);
  });

  it('reads events as the host has them', () => {
    const ffi = {
      eventId: 'e',
      eventName: 'a.b',
      eventVersion: '1.0',
      payload: { amount: 1 },
      metadata: {
        taskUuid: 't',
        stepUuid: null,
        stepName: 'pay',
        namespace: 'shop',
        correlationId: 'c',
        firedAt: '2020-01-01T00:00:00Z',
        firedBy: 'P',
      },
    };
    const metadata = {
      taskUuid: 't',
      stepUuid: '',
      stepName: 'pay',
      namespace: 'shop',
      correlationId: 'c',
      firedAt: '2020-01-01T00:00:00Z',
      eventVersion: '1.0',
      publisher: 'P',
    };
    const event = ffiEventToDomainEvent(ffi);
    expect(event).toEqual({
      eventId: 'e',
      eventName: 'a.b',
      payload: { amount: 1 },
      businessPayload: { amount: 1 },
      metadata,
      executionResult: { success: true, result: { amount: 1 } },
    });
    const answers = [ffi, null];
    const poll = createFfiPollAdapter({ pollInProcessEvents: () => answers.shift() ?? null });
    expect([poll(), poll()]).toEqual([event, null]);
  });
});

describe('the subscriber registry', () => {
  const registry = SubscriberRegistry.getInstance();

  class Unbuildable extends Everything {
    constructor() {
      super();
      throw new Error('no');
    }
  }

  it('starts and stops what was registered, but for what cannot be constructed', () => {
    expect(registry).toBe(SubscriberRegistry.instance);
    registry.register(Payments);
    registry.register(Unbuildable);
    registry.registerInstance(new Documented());
    registry.register(new Everything());
    expect([registry.count, registry.isStarted]).toEqual([4, false]);
    registry.startAll();
    registry.startAll();
    expect(registry.stats).toMatchObject({ started: true, subscriberCount: 3, activeCount: 3 });
    expect(registry.stats.subscribers).toContainEqual({
      className: 'Payments',
      active: true,
      patterns: ['payment.*'],
    });
    expect(registry.getMatchingSubscribers('payment.failed').map((subscriber) => subscriber.constructor.name)).toEqual([
      'Everything',
      'Payments',
    ]);
    registry.stopAll();
    registry.startAll();
    expect(registry.stats).toMatchObject({ subscriberCount: 3, activeCount: 3 });
    registry.reset();
    expect([registry.count, registry.isStarted]).toEqual([0, false]);
  });
});
