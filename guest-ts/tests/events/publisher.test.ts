/** Publishers in both forms, and the order of their hooks. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BasePublisher,
  createStepEventContext,
  DefaultPublisher,
  type DomainEvent,
  type EventDeclaration,
  type PublishContext,
  type StepEventContext,
  type StepResult,
} from '../../src/index.js';

const context: PublishContext = {
  eventName: 'payment.processed',
  stepResult: { success: true, result: { amount: 12 } },
  eventDeclaration: { name: 'payment.processed', deliveryMode: 'fast' },
  stepContext: createStepEventContext({ taskUuid: 't', stepUuid: 's', stepName: 'pay', namespace: 'shop' }),
};

let calls: unknown[][] = [];
beforeEach(() => {
  calls = [];
  vi.spyOn(console, 'log').mockImplementation(() => {});
});

/** The published worker's form. */
class Published extends BasePublisher {
  readonly publisherName = 'Published';

  override shouldPublish(...given: [StepResult, EventDeclaration?, StepEventContext?]): boolean {
    calls.push(['should', ...given]);
    return true;
  }
  override transformPayload(stepResult: StepResult, ...rest: [EventDeclaration?, StepEventContext?]) {
    calls.push(['transform', stepResult, ...rest]);
    return { total: stepResult.result?.amount };
  }
  override additionalMetadata(...given: [StepResult, EventDeclaration?, StepEventContext?]): Record<string, unknown> {
    calls.push(['metadata', ...given]);
    return { zone: 'eu', namespace: 'overridden' };
  }
  override beforePublish(...given: [string, Record<string, unknown>, Record<string, unknown>]): unknown {
    calls.push(['before', ...given]);
    return true;
  }
  override afterPublish(...given: [string, Record<string, unknown>, Record<string, unknown>]): void {
    calls.push(['after', ...given]);
  }
  override onPublishError(...given: [string, Error, Record<string, unknown>]): void {
    calls.push(['error', ...given]);
  }
}

/** The documented form. */
class Documented extends BasePublisher {
  static publisherName = 'documented';

  publishesFor(): string[] {
    return ['pay'];
  }
  override async transformPayload(ctx: StepEventContext): Promise<Record<string, unknown>> {
    calls.push(['transform', ctx]);
    return { total: ctx.result?.amount };
  }
  override async additionalMetadata(ctx: StepEventContext): Promise<Record<string, unknown>> {
    calls.push(['metadata', ctx]);
    return { zone: 'eu' };
  }
  override async beforePublish(ctx: StepEventContext): Promise<void> {
    calls.push(['before', ctx]);
  }
  override async afterPublish(ctx: StepEventContext, event: DomainEvent): Promise<void> {
    calls.push(['after', ctx, event]);
  }
  override async onPublishError(ctx: StepEventContext, error: Error): Promise<void> {
    calls.push(['error', ctx, error]);
  }
}

const metadata = {
  publisher: 'Published',
  publishedAt: expect.stringMatching(/^\d{4}-.*Z$/),
  taskUuid: 't',
  stepUuid: 's',
  stepName: 'pay',
  namespace: 'overridden',
  zone: 'eu',
};

describe("a publisher of the published worker's form", () => {
  it('answers at once, its hooks in order with the result, the declaration and the context', () => {
    expect(new Published().publish(context)).toBe(true);
    const { stepResult, eventDeclaration, stepContext } = context;
    expect(calls).toEqual([
      ['should', stepResult, eventDeclaration, stepContext],
      ['transform', stepResult, eventDeclaration, stepContext],
      ['metadata', stepResult, eventDeclaration, stepContext],
      ['before', 'payment.processed', { total: 12 }, metadata],
      ['after', 'payment.processed', { total: 12 }, metadata],
    ]);
  });

  it('has no step in its metadata when none is known', () => {
    new Published().publish({ eventName: 'payment.processed', stepResult: { success: true } });
    const { taskUuid, stepUuid, stepName, ...rest } = metadata;
    expect(calls.at(-1)?.[3]).toEqual(rest);
  });

  it.each([[undefined], [null], [0], [true]])('publishes when beforePublish returns %s', (answer) => {
    const publisher = new Published();
    publisher.beforePublish = () => answer;
    expect(publisher.publish(context)).toBe(true);
  });

  it('does not publish when beforePublish returns false', () => {
    const publisher = new Published();
    publisher.beforePublish = () => false;
    expect(publisher.publish(context)).toBe(false);
    expect(calls.map(([name]) => name)).not.toContain('after');
  });

  it('is asked for nothing more when it does not want to publish', () => {
    const publisher = new Published();
    publisher.shouldPublish = () => false;
    expect(publisher.publish(context)).toBe(false);
    expect(calls).toEqual([]);
  });

  it.each(['beforePublish', 'afterPublish'] as const)('hears of what %s throws', (hook) => {
    const publisher = new Published();
    publisher[hook] = () => {
      throw new RangeError('no');
    };
    expect(publisher.publish(context)).toBe(false);
    expect(calls.at(-1)).toEqual(['error', 'payment.processed', new RangeError('no'), { total: 12 }]);
  });

  it.each(['shouldPublish', 'transformPayload', 'additionalMetadata'] as const)(
    'leaves what %s throws to the caller',
    (hook) => {
      const publisher = new Published();
      publisher[hook] = () => {
        throw new RangeError('no');
      };
      expect(() => publisher.publish(context)).toThrow(new RangeError('no'));
    },
  );

  it('may have a hook that takes its time', async () => {
    const publisher = new Published();
    const plain = publisher.transformPayload.bind(publisher);
    publisher.transformPayload = (...given) => Promise.resolve(plain(...given)) as never;
    const published = publisher.publish(context);
    expect(published).toBeInstanceOf(Promise);
    expect(await published).toBe(true);
    expect(calls.at(-1)).toEqual(['after', 'payment.processed', { total: 12 }, metadata]);
  });
});

describe('a publisher of the documented form', () => {
  const stepContext = { ...context.stepContext, result: { amount: 12 } };

  it('gets the context with the result, and its hooks are waited for', async () => {
    expect(await new Documented().publish(context)).toBe(true);
    expect(calls.slice(0, 3)).toEqual([
      ['transform', stepContext],
      ['metadata', stepContext],
      ['before', stepContext],
    ]);
    expect(calls[3]).toEqual([
      'after',
      stepContext,
      expect.objectContaining({
        eventName: 'payment.processed',
        payload: { total: 12 },
        metadata: expect.objectContaining({ publisher: 'documented', zone: 'eu', correlationId: 't' }),
      }),
    ]);
  });

  it('hears of a hook that rejects', async () => {
    const publisher = new Documented();
    publisher.afterPublish = () => Promise.reject(new RangeError('no'));
    expect(await publisher.publish(context)).toBe(false);
    expect(calls.at(-1)).toEqual(['error', stepContext, new RangeError('no')]);
  });
});

describe('a publisher without hooks of its own', () => {
  it('passes on what the handler returned, an empty object when it returned nothing', () => {
    expect(new DefaultPublisher().publisherName).toBe('default');
    expect(new DefaultPublisher().transformPayload({ success: true, result: { a: 1 } })).toEqual({ a: 1 });
    expect(new DefaultPublisher().transformPayload({ success: false })).toEqual({});
    expect(new DefaultPublisher().publish(context)).toBe(true);
  });

  it('logs that its event was not published', () => {
    new DefaultPublisher().onPublishError('payment.processed', new Error('queue is gone'));
    expect(console.log).toHaveBeenCalledWith(
      expect.stringMatching(/ERROR: The event was not published .*queue is gone/),
    );
  });
});
