/** Components at work: the JavaScript engine, the bindings and the SDK together. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { describe, expect, it } from 'vitest';
import { build } from '../dist/index.js';
import { CHARGE, packageOf } from './package.js';
import { call, type Instance, instances, repository } from './support/component.js';

/** A component that is not up to date is built first. */
const BUILD_MS = 180_000;

const hostile = join(repository, 'tests/hostile');
const impure = join(repository, 'tests/guests/impure');
const domainEvents = join(repository, 'handlers/domain-events');

describe('a component with a pure top level', () => {
  it(
    'reports every way a handler can fail, with stack frames that lead to its source',
    async () => {
      const { component } = await build(hostile, () => {});
      const instance = await (await instances(component))();
      const { handlers } = instance.handlers.describe();
      expect(handlers.find(({ name }) => name === 'hostile.echo')?.methods).toEqual(['call', 'shout']);

      expect(await call(instance, 'hostile.echo', { a: 'ä€😀' })).toMatchObject({
        val: { result: '{"input":{"a":"ä€😀"},"attempt":0}' },
      });
      expect(await call(instance, 'hostile.echo', {}, 'shout')).toMatchObject({ tag: 'success' });
      expect(await call(instance, 'nobody')).toEqual({ error: { tag: 'handler-not-found', val: 'nobody' } });
      for (const [name, message] of [
        ['throw_string', 'just a string'],
        ['throw_undefined', 'Handler threw undefined'],
        ['throw_trap', 'Handler threw a value that cannot be read'],
        ['recurse', 'too much recursion'],
        ['return_nonsense', 'returned a number'],
        ['return_cycle', 'cannot be stored as JSON'],
        ['return_bigint', 'cannot be stored as JSON'],
      ]) {
        expect(await call(instance, `hostile.${name}`)).toMatchObject({
          tag: 'failure',
          val: { message: expect.stringContaining(message as string) },
        });
      }

      const outcome = await call(instance, 'hostile.throw_error');
      const { backtrace } = (outcome as { val: { backtrace: string[] } }).val;
      const map = new TraceMap(readFileSync(`${component}.map`, 'utf8'));
      const sources = backtrace.map((frame) => {
        const [, name, line, column] = /^(.*)@hostile\.js:(\d+):(\d+)$/.exec(frame) ?? [];
        const { source, line: original } = originalPositionFor(map, { line: Number(line), column: Number(column) - 1 });
        return `${name} ${source}:${original}`;
      });
      const code = readFileSync(join(hostile, 'src/throwing.ts'), 'utf8').split('\n');
      const lineWith = (text: string) => code.findIndex((line) => line.includes(text)) + 1;
      expect(sources).toContain(`explode src/throwing.ts:${lineWith('throw new ReactorError')}`);
      expect(sources).toContain(`call src/throwing.ts:${lineWith("explode('boom')")}`);
      expect(sources.at(-1)).toMatch(/@tasker-wasm\/guest\/src\/component\//);
    },
    BUILD_MS,
  );

  it(
    'takes a big result across in no time',
    async () => {
      const { component } = await build(hostile, () => {});
      const instance = await (await instances(component))();
      const started = performance.now();
      const outcome = await call(instance, 'hostile.huge_result');
      expect((outcome as { val: { result: string } }).val.result).toHaveLength(20_000_011);
      // Counting the bytes of each character in the guest takes a minute.
      expect(performance.now() - started).toBeLessThan(20_000);
    },
    BUILD_MS,
  );
});

describe('a component that checkpoints', () => {
  const worker = 'CheckpointedBatch.StepHandlers.BillCustomersHandler';
  const cursor = { batch_id: '001', start_cursor: 0, end_cursor: 4, batch_size: 4 };
  const context = { customers: 4, checkpoint_every: 2 };

  it(
    'yields its progress, goes on from it, and saves it while a call goes on unless the host refuses',
    async () => {
      const { component } = await build(join(repository, 'handlers/checkpointed-batch'), () => {});
      const instance = await (await instances(component))();
      const { handlers } = instance.handlers.describe();
      expect(handlers.find(({ name }) => name === worker)?.methods).toEqual(['call']);

      const yielded = await call(instance, worker, context, undefined, { inputs: { cursor } });
      expect(yielded).toEqual({
        tag: 'checkpoint',
        val: { cursor: '2', itemsProcessed: 2n, accumulatedResults: '{"billed":[0,1],"cents":10}' },
      });

      const checkpoint = { cursor: 2, items_processed: 2, accumulated_results: { billed: [0, 1], cents: 10 } };
      const done = await call(instance, worker, context, undefined, { inputs: { cursor }, checkpoint });
      const { result } = (done as { val: { result: string } }).val;
      expect(JSON.parse(result)).toMatchObject({ billed: [0, 1, 2, 3], billed_cents: 60, resumed_from: 2 });

      const saving = { ...context, checkpoint_by: 'save' };
      const saved = await call(instance, worker, saving, undefined, { inputs: { cursor } });
      expect(saved).toMatchObject({ tag: 'success' });
      expect(instance.checkpoints).toMatchObject([{ cursor: '2', itemsProcessed: 2n }]);

      instance.refusals.push('the lease is lost');
      expect(await call(instance, worker, saving, undefined, { inputs: { cursor } })).toMatchObject({
        tag: 'failure',
        val: { message: 'The checkpoint was not saved: the lease is lost', retryable: true },
      });
    },
    BUILD_MS,
  );
});

describe('a component with an impure top level', () => {
  it(
    'initialises its modules in the call, anew in each instance',
    async () => {
      const { component, initialization } = await build(impure, () => {});
      expect(initialization.mode).toBe('lazy');
      const create = await instances(component);
      const loaded = [];
      for (const instance of [await create(), await create()]) {
        expect(instance.handlers.describe().handlers).toMatchObject([{ name: 'impure.show' }]);
        const outcome = await call(instance, 'impure.show');
        loaded.push(JSON.parse((outcome as { val: { result: string } }).val.result));
      }
      const [first, second] = loaded;
      expect(first.random).not.toBe(second.random);
      expect(first.uuid).not.toBe(second.uuid);
      expect(first.timer).toBe('fired');
      expect(Math.abs(first.called_at - first.loaded_at)).toBeLessThan(60_000);
    },
    BUILD_MS,
  );
});

/** What the component's publisher makes of a result; the text when it refuses. */
async function prepared({ publishers }: Instance, publisher: string, result: unknown): Promise<unknown> {
  const context = JSON.stringify({
    declaration: { name: 'payment.processed', deliveryMode: 'broadcast' },
    stepResult: { success: true, result, metadata: {} },
    stepContext: { taskUuid: 't', stepUuid: 's', stepName: 'pay', namespace: 'order_events', correlationId: 'c' },
  });
  try {
    const decision = await publishers.prepare({ publisher, context });
    return decision.tag === 'publish' ? JSON.parse(decision.val.payload) : decision.tag;
  } catch (error) {
    return (error as { payload?: unknown }).payload ?? error;
  }
}

const event = (eventName: string, payload: unknown) =>
  JSON.stringify({
    eventId: 'e',
    eventName,
    eventVersion: '1.0',
    payload,
    metadata: { taskUuid: 't', stepUuid: 's', stepName: 'pay', namespace: 'order_events', correlationId: 'c' },
    executionResult: { success: true },
  });

describe('a component with publishers and subscribers', () => {
  it(
    'prepares events, tells their publishers how they fared, and handles them',
    async () => {
      const { component, initialization } = await build(domainEvents, () => {});
      expect(initialization.mode).toBe('snapshot');
      const create = await instances(component);
      const instance = await create();
      expect(instance.publishers.listPublishers()).toContainEqual({ name: 'shipment_events', reports: true });
      expect(instance.subscribers.listSubscriptions()).toContainEqual({
        subscriber: 'AuditSubscriber',
        patterns: ['*'],
      });
      expect(await prepared(instance, 'PaymentEventPublisher', { transaction_id: 'x', amount: 12 })).toEqual({
        status: 'succeeded',
        transaction_id: 'x',
        amount: 12,
        currency: 'EUR',
      });
      expect(await prepared(instance, 'shipment_events', { silent: true })).toBe('skip');
      expect(await prepared(instance, 'InvoicePublisher', {})).toBe('TypeError: an invoice needs invoice_to');
      expect(await prepared(instance, 'Nobody', {})).toMatch(
        /^Error: no publisher is called 'Nobody'; the component has/,
      );

      const other = await create();
      const context =
        '{"declaration":{"name":"shipment.sent"},"stepResult":{"success":true},"stepContext":{"stepName":"ship"}}';
      const publication = { payload: '{}', metadata: '{}' };
      await other.publishers.published({ publisher: 'shipment_events', context }, publication, undefined);
      await other.publishers.published({ publisher: 'shipment_events', context }, publication, 'too big');
      await other.subscribers.onEvent('AuditSubscriber', event('order.validated', { ä: 1 }));
      await other.subscribers.onEvent('ledger', event('payment.processed', { amount: 12 }));
      expect(other.records).toMatchObject([
        ['info', 'shipment announced', { event_name: 'shipment.sent' }],
        ['info', 'shipment not announced', { step_name: 'ship', error: 'too big' }],
        ['info', 'audit', { event_name: 'order.validated', payload: '{"ä":1}' }],
        ['info', 'ledger', { amount: 12 }],
      ]);
      const refused = Promise.resolve().then(() =>
        other.subscribers.onEvent('ledger', event('payment.processed', { amount: 20_000 })),
      );
      await expect(refused).rejects.toMatchObject({
        payload: "RangeError: 20000 is over the ledger's limit of 10000",
      });
      // A failure is no trap: the instance goes on.
      expect(await call(other, 'OrderEvents.StepHandlers.ValidateOrderHandler', {})).toMatchObject({ tag: 'failure' });
    },
    BUILD_MS,
  );

  it(
    'lists them without loading its modules where their top level is impure',
    async () => {
      const directory = packageOf({
        'src/index.ts': `${CHARGE}
import { BasePublisher, BaseSubscriber, logInfo, PublisherRegistry } from '@tasker-systems/tasker';
const loaded = crypto.randomUUID();
class Charges extends BasePublisher {
  readonly publisherName = 'charges';
  transformPayload(): Record<string, unknown> {
    return { loaded };
  }
}
PublisherRegistry.instance.register(new Charges());
export class Watch extends BaseSubscriber {
  static subscribesTo(): string[] {
    return ['order.*'];
  }
  handle(): void {
    logInfo('watched', { loaded });
  }
}
`,
      });
      const { component, initialization } = await build(directory, () => {});
      expect(initialization.mode).toBe('lazy');
      const create = await instances(component);
      const instance = await create();
      expect(instance.publishers.listPublishers()).toEqual([{ name: 'charges', reports: false }]);
      expect(instance.subscribers.listSubscriptions()).toEqual([{ subscriber: 'Watch', patterns: ['order.*'] }]);
      const one = await prepared(instance, 'charges', {});
      expect(await prepared(instance, 'charges', {})).toEqual(one);
      expect(await prepared(await create(), 'charges', {})).not.toEqual(one);
      await instance.subscribers.onEvent('Watch', event('order.charged', {}));
      expect(instance.records).toEqual([['info', 'watched', one]]);
    },
    BUILD_MS,
  );
});
