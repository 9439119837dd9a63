/** Parts of the SDK that the builder has a hand in: what grants bring, and what stands in for a logger. */

import { expect, it } from 'vitest';
import { build } from '../dist/index.js';
import { type Files, packageOf } from './package.js';
import { call, type Instance, instances } from './support/component.js';

const BUILD_MS = 180_000;

/** One handler asks the orchestration, the other logs. */
const source = (logger: string, logs: string) => `import pino${logger} from 'pino';
import { getTaskerClient, publishEvent, type StepContext, StepHandler } from '@tasker-systems/tasker';

const client = await getTaskerClient();

export class Ask extends StepHandler {
  static handlerName = 'Shop.Ask';

  async call() {
    const created = client.createTask({ name: 'orders', context: { order: 7 } });
    return this.success({ created, task: client.getTask('t'), event: publishEvent('order.asked', { order: 7 }) });
  }
}

export class Charge extends StepHandler {
  static handlerName = 'Shop.Charge';

  async call(context: StepContext) {
    ${logs}
    return this.success({ order: context.getInput('order') });
  }
}
`;

async function built(files: Files): Promise<Instance> {
  const { component, initialization } = await build(packageOf(files), () => {});
  expect(initialization.mode).toBe('snapshot');
  return (await instances(component))();
}

it(
  'a handler builds without the grants it uses, and with a logger that is not installed',
  async () => {
    const instance = await built({
      'src/index.ts': source(
        ', { type Logger }',
        `const log: Logger = pino({ name: 'shop', level: 'debug', transport: { target: 'pino-pretty' } });
    log.child({ handler: context.handlerName }).info({ order: context.getInput('order') }, 'charging %s', 'now');`,
      ),
    });
    expect(await call(instance, 'Shop.Ask')).toMatchObject({
      tag: 'failure',
      val: { message: 'client capability not granted', errorType: { val: 'TaskerClientError' } },
    });
    expect(await call(instance, 'Shop.Charge', { order: 7 })).toMatchObject({ tag: 'success' });
    expect(instance.records).toEqual([['info', 'charging now', { name: 'shop', handler: 'Shop.Charge', order: 7 }]]);
  },
  BUILD_MS,
);

it(
  'a handler reaches the host with the grants, and keeps the types of the logger it was written against',
  async () => {
    const instance = await built({
      'tasker.toml': 'name = "shop"\nnamespace = "shop_workflow"\n[grants]\nclient = true\nevents = true\n',
      'node_modules/pino/package.json':
        '{ "name": "pino", "version": "9.0.0", "types": "pino.d.ts", "main": "pino.js" }',
      'node_modules/pino/pino.d.ts':
        'export declare function pino(o: { only: "here" }): { info(m: string): void };\nexport default pino;\n',
      'node_modules/pino/pino.js': 'module.exports = require("node:worker_threads");\n',
      'src/index.ts': source('', "pino({ only: 'here' }).info('charged');"),
    });
    const outcome = await call(instance, 'Shop.Ask');
    expect(outcome).toMatchObject({ tag: 'success' });
    expect(JSON.parse((outcome as { val: { result: string } }).val.result)).toEqual({
      created: { asked: 'submitTask', given: [expect.objectContaining({ name: 'orders', context: '{"order":7}' })] },
      task: { asked: 'getTask', given: ['t'] },
      event: '00000000-0000-0000-0000-000000000000',
    });
    expect(await call(instance, 'Shop.Charge')).toMatchObject({ tag: 'success' });
    expect(instance.records).toEqual([['info', 'charged', {}]]);
  },
  BUILD_MS,
);
