/** The adapted bindings at work, called by a component that is written for nothing else. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { adaptBindings } from '../dist/bindings.js';
import { componentize } from '../dist/engine.js';
import { findToolchain, type World } from '../dist/toolchain.js';
import { call, instances } from './support/component.js';

const BUILD_MS = 180_000;

it('bindings of another shape than expected are refused, with the file to look at', () => {
  expect(() => adaptBindings('export function handle() {}')).toThrow('componentize/src/bindings.ts');
});

/** Keeps what the warm-up calls were given, and tells it in every later call. */
const CODE = `
import { saveCheckpoint } from 'tasker:handler/execution@0.1.0';

const warm = [];
const success = (result) => ({ tag: 'success', val: { result: JSON.stringify(result), metadata: '{}' } });
const checkpoint = { tag: 'checkpoint', val: { cursor: '7', itemsProcessed: 3, accumulatedResults: '{"sum":1}' } };
const warmUp = globalThis.taskerWarmUp;
for (const outcome of [success(1), checkpoint]) {
  await warmUp.now((context) => { warm.push(['now', context]); return outcome; }, 'now.ä', '{"n":1}');
}
warmUp.last((context) => { warm.push(['last', context]); return new Promise(() => {}); }, 'last', '{}');
delete globalThis.taskerWarmUp;

export const handlers = {
  describe: () => ({ sdk: { name: 'none', version: '0', language: 'typescript' }, handlers: [] }),
  handle({ handler: { callable } }) {
    switch (callable) {
      case 'checkpoint':
        return checkpoint;
      case 'large': {
        // Each of the two makes the memory grow while the outcome is written into it.
        const val = { result: JSON.stringify('r'.repeat(24 << 20)), metadata: JSON.stringify({ m: 'm'.repeat(48 << 20) }) };
        return { tag: 'success', val };
      }
      case 'save':
        try {
          saveCheckpoint({ cursor: '"a"', itemsProcessed: 1n, accumulatedResults: undefined });
          return success({});
        } catch (error) {
          return success({ refused: error.payload });
        }
      default:
        return success(warm);
    }
  },
};
export const publishers = {
  listPublishers: () => [{ name: 'p', reports: true }],
  prepare({ publisher }) {
    if (publisher !== 'p') throw 'no ' + publisher;
    return { tag: 'skip' };
  },
  published() {},
};
export const subscribers = { listSubscriptions: () => [], onEvent() {} };
`;

const context = (callable: string, event: string) => ({
  handler: { callable },
  attempts: 0,
  maxAttempts: 0,
  timeBudgetMs: 0,
  event,
});

it.each<World>(['handler', 'full-handler'])(
  'a component of the world %s is warmed up while it is built, and every outcome passes its bindings',
  async (world) => {
    const bundle = { fileName: 'warm.js', code: CODE, inputs: [], parts: [], warnings: [], map: {} as never };
    const directory = mkdtempSync(join(tmpdir(), 'tasker-warm-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'warm.wasm');
    writeFileSync(file, await componentize(bundle, world, findToolchain()));
    const create = await instances(file);
    const instance = await create();

    expect(await call(instance, 'checkpoint')).toEqual({
      tag: 'checkpoint',
      val: { cursor: '7', itemsProcessed: 3n, accumulatedResults: '{"sum":1}' },
    });
    const { val: large } = (await call(await create(), 'large')) as { val: { result: string; metadata: string } };
    expect([large.result, large.metadata].map((json) => [json.length, json.slice(-5)])).toEqual([
      [(24 << 20) + 2, 'rrrr"'],
      [(48 << 20) + 8, 'mmm"}'],
    ]);
    expect(await call(instance, 'save')).toMatchObject({ val: { result: '{}' } });
    instance.refusals.push('not now');
    expect(await call(instance, 'save')).toMatchObject({ val: { result: '{"refused":"not now"}' } });
    expect(instance.checkpoints).toEqual([{ cursor: '"a"', itemsProcessed: 1n, accumulatedResults: undefined }]);

    // The last call is made when the exports are bound; nothing is called in a new instance.
    const warm = await call(await create(), 'warm');
    expect(JSON.parse((warm as { val: { result: string } }).val.result)).toEqual([
      ['now', context('now.ä', '{"n":1}')],
      ['now', context('now.ä', '{"n":1}')],
      ['last', context('last', '{}')],
    ]);

    if (world === 'full-handler') {
      const { publishers } = await create();
      expect(publishers.listPublishers()).toEqual([{ name: 'p', reports: true }]);
      expect(await publishers.prepare({ publisher: 'p', context: '{}' })).toEqual({ tag: 'skip' });
      const refused = Promise.resolve().then(() => publishers.prepare({ publisher: 'q', context: '{}' }));
      await expect(refused).rejects.toMatchObject({ payload: 'no q' });
    } else {
      expect(instance.publishers).toBeUndefined();
    }
  },
  BUILD_MS,
);
