/** The examples of the README: each is built as far as `tasker-componentize check` goes, and run. */

import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { check } from '../../componentize/dist/check.js';
import { packageOf } from '../../componentize/tests/package.js';
import { repository } from '../../componentize/tests/support/component.js';
import { registerHandlers } from '../src/component/discover.js';
import {
  type BasePublisher,
  clearClientRuntime,
  clearEventRuntime,
  type HandlerEntry,
  HandlerRegistry,
  ResolverChain,
  type StepHandler,
  setClientRuntime,
  setEventRuntime,
} from '../src/index.js';
import { type RunOptions, runHandler } from '../src/testing/index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
const tests = blocks.filter((code) => code.includes("from 'vitest'"));
const handlers = blocks.filter((code) => !tests.includes(code));

type Expected = Record<string, unknown>;

/** What every handler of the README is called with, and what comes of it. */
const RUNS: Record<string, Array<[RunOptions, Expected]>> = {
  'Hello.Greet': [
    [{}, { result: { greeting: 'Hello, world!' } }],
    [{ input: { name: 'Ada' } }, { result: { greeting: 'Hello, Ada!' } }],
  ],
  'Shop.Charge': [
    [{}, { error: { type: 'validation_error', retryable: false } }],
    [charge(20), { error: { type: 'PermanentError', retryable: false, message: 'over the limit' } }],
    [{ ...charge(5), retryCount: 2 }, { error: { type: 'RetryableError', retryable: true } }],
    [charge(5), { result: { order: 7, charged: 5 }, metadata: { attempt: 0 } }],
    [{ method: 'refund', dependencies: { charge: { charged: 5 } } }, { result: { refunded: { charged: 5 } } }],
  ],
  'Shop.Total': [
    [
      { dependencies: { load_cart: { prices: [1, 2, 3] } }, input: { discount: 2 } },
      { result: { total: 4, step: 'Shop.Total' } },
    ],
  ],
  'Shop.FetchOrder': [
    [{ input: { order_id: 7 } }, { result: { id: 7 } }],
    [{ input: { order_id: 8 } }, { error: { type: 'service_unavailable', retryable: true } }],
  ],
  'Shop.FetchRate': [
    [{ input: { currency: 'EUR' } }, { result: { rate: 1.5 } }],
    [{}, { error: { type: 'service_unavailable', retryable: true } }],
  ],
  'Shop.CheckFraud': [
    [{ input: { order_id: 7 } }, { result: decision('create_steps', { step_names: ['approve'] }) }],
    [{ input: { order_id: 8 } }, { error: { type: 'service_unavailable', retryable: true } }],
  ],
  'Shop.RouteOrder': [
    [{ input: { amount: 5 } }, { result: decision('create_steps', { step_names: ['auto_approve'] }) }],
    [{}, { result: decision('no_branches') }],
  ],
  'Shop.RouteParcel': [[{ input: { kg: 31 } }, { result: decision('create_steps', { step_names: ['freight'] }) }]],
  'Import.Plan': [
    [{ input: { rows: 1000 } }, { result: { batch_processing_outcome: { worker_count: 4, total_items: 1000 } } }],
    [{}, { result: { batch_processing_outcome: { type: 'no_batches' } } }],
  ],
  'Import.Rows': [
    [{ stepInputs: { is_no_op: true } }, { result: { no_op: true } }],
    [{ stepInputs: share(0, 250) }, { checkpoint: { cursor: 100, itemsProcessed: 100 } }],
    [
      { stepInputs: share(0, 250), checkpoint: { cursor: 200, items_processed: 200 } },
      { result: { batch_worker_outcome: { items_processed: 250 } } },
    ],
  ],
  'Import.Sum': [
    [
      { dependencies: { plan_import: { batch_processing_outcome: { type: 'create_batches' } }, import_rows_001: {} } },
      { result: { worker_count: 1, scenario: 'with_batches' } },
    ],
  ],
  'Import.PlanMails': [
    [{ input: { mails: 120 } }, { result: { batch_processing_outcome: { worker_count: 3, total_items: 120 } } }],
  ],
  'Import.SendMails': [
    [{ stepInputs: share(0, 2) }, { result: { sent: 2 }, saved: [{ cursor: 1 }, { cursor: 2, itemsProcessed: 2 }] }],
    [
      { stepInputs: share(0, 2), checkpoint: { cursor: 1, items_processed: 1 } },
      { result: { sent: 2 }, saved: [{ cursor: 2 }] },
    ],
  ],
  'Shop.Pay': [[{}, { result: { transaction: 't-1' } }]],
  'Shop.Track': [[{ input: { parcel: 'p-1' } }, { result: { event: 'parcel.seen {"parcel":"p-1"} fast' } }]],
  'Shop.NetPrice': [[{ input: { net: 2 } }, { result: { net: 2 } }]],
  'Shop.Reorder': [[{ input: { order_id: 7 } }, { result: { task: 'submitted' } }]],
  'Files.Receive': [
    [{}, { result: { name: 'report', size: '12,345', isSigned: false } }],
    [
      { input: { signature: createHmac('sha256', 'key').update('/inbox/report.csv').digest('hex') } },
      { result: { isSigned: true } },
    ],
  ],
  'Shop.Bill': [
    [
      {},
      {
        logs: [
          { level: 'info', message: 'billed', fields: { component: 'billing', cents: 1200 } },
          { level: 'warn', message: 'paid after 2 reminders', fields: expect.objectContaining({ card: '[Redacted]' }) },
        ],
      },
    ],
  ],
};

/** What answers the requests of the README: anything else is not available. */
const ANSWERS: Record<string, unknown> = {
  'GET https://api.example/orders/7?expand=items': { id: 7 },
  'GET https://api.example/rates/EUR': 1.5,
  'POST https://api.example/fraud {"order":7}': {},
};

beforeEach(() => {
  setClientRuntime({ submitTask: () => '{"task_uuid":"submitted"}' } as never);
  setEventRuntime(({ name, payload, delivery }) => `${name} ${payload} ${delivery}`);
  vi.stubGlobal('fetch', async (url: string, { method, body }: RequestInit) => {
    const answer = ANSWERS[[method, url, ...(body ? [body] : [])].join(' ')];
    return answer === undefined ? Response.json({}, { status: 503 }) : Response.json(answer);
  });
});

afterEach(() => {
  clearClientRuntime();
  clearEventRuntime();
  ResolverChain.resetDefault();
  vi.unstubAllGlobals();
});

/** The modules the README shows, each built as far as it goes without an engine, and loaded. */
async function module(code: string) {
  const directory = packageOf({ 'package.json': null, 'tasker.toml': null, 'src/index.ts': null, 'handler.ts': code });
  const path = join(directory, 'handler.ts');
  const checked = await check(path, () => {});
  expect(checked.initialization.mode).toBe('snapshot');
  return { checked, exports: (await import(path)) as Record<string, unknown> };
}

describe('every example of the README with handlers', () => {
  it.each(handlers.map((code) => [/'((?:Hello|Shop|Import|Files)\.\w+)'/.exec(code)?.[1], code] as const))(
    'builds and does what it says: %s',
    async (_, code) => {
      vi.spyOn(console, 'info').mockImplementation(() => {});
      const { checked, exports } = await module(code);
      expect(checked.handlers.length).toBeGreaterThan(0);

      const chain = ResolverChain.shared();
      registerHandlers([exports], chain.explicit, HandlerRegistry.instance());
      for (const { name } of checked.handlers) {
        expect(RUNS, `what ${name} does is not tested`).toHaveProperty([name]);
        for (const [options, expected] of RUNS[name] ?? []) {
          expect(await runHandler(chain.explicit.entry(name) as HandlerEntry, options)).toMatchObject(expected);
        }
      }
    },
  );

  it('are all there are', () => {
    expect(handlers).toHaveLength(14);
    expect(tests).toHaveLength(1);
    for (const name of Object.keys(RUNS)) {
      expect(readme).toContain(`'${name}'`);
    }
  });
});

it('the publisher and the subscriber of the README are found, and hand on what they say', async () => {
  const code = handlers.find((candidate) => candidate.includes('BasePublisher')) as string;
  const { checked, exports } = await module(code);
  expect(checked.publishers).toEqual([{ name: 'payments', reports: false }]);
  expect(checked.subscriptions).toEqual([{ subscriber: 'Ledger', patterns: ['payment.*'] }]);
  const { Payments } = exports as { Payments: new () => BasePublisher };
  expect(
    new Payments().transformPayload({ success: true, result: { transaction: 't', card: '4' }, metadata: {} }),
  ).toEqual({ transaction: 't' });
});

it('the resolver of the README makes the handlers it says', async () => {
  vi.spyOn(console, 'info').mockImplementation(() => {});
  const code = handlers.find((candidate) => candidate.includes('RegistryResolver')) as string;
  const { exports } = await module(code);
  const chain = ResolverChain.shared();
  registerHandlers([exports], chain.explicit, HandlerRegistry.instance());
  const price = await chain.resolve({ callable: 'price:1.19', resolver: 'prices' });
  expect(await runHandler(price as StepHandler, { input: { net: 100 } })).toMatchObject({ result: { gross: 119 } });
});

describe('the test of the README', async () => {
  // In the repository, where it finds vitest.
  const cache = join(repository, 'target');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'readme-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  for (const [index, code] of tests.entries()) {
    const file = join(directory, `${index}.ts`);
    writeFileSync(file, code);
    // Its own tests become some of these.
    await import(file);
  }
});

function charge(total: number): RunOptions {
  return { input: { order: { id: 7 } }, dependencies: { validate: { total } }, config: { limit: 10 } };
}

function decision(type: string, more: Expected = {}): Expected {
  return { decision_point_outcome: { type, ...more } };
}

function share(start: number, end: number): Record<string, unknown> {
  return { cursor: { batch_id: '001', start_cursor: start, end_cursor: end, batch_size: end - start } };
}
