/** Parts of the SDK that the builder has a hand in: what grants bring, and what stands in for a logger. */

import { expect, it } from 'vitest';
import { build } from '../dist/index.js';
import { packageOf } from './package.js';
import { call, instances } from './support/component.js';

const BUILD_MS = 180_000;
const TOML = 'name = "shop"\nnamespace = "shop_workflow"\n';

const ASKING = `import { getTaskerClient, publishEvent, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

const client = await getTaskerClient();

export class Ask extends StepHandler {
  static handlerName = 'Shop.Ask';

  async call(): Promise<StepHandlerResult> {
    const created = client.createTask({ name: 'orders', context: { order: 7 } });
    return this.success({ created, task: client.getTask('t'), event: publishEvent('order.asked', { order: 7 }) });
  }
}
`;

it(
  'a handler that asks the orchestration builds without the grant and is told so when it is called',
  async () => {
    const { component, initialization } = await build(packageOf({ 'src/index.ts': ASKING }), () => {});
    expect(initialization.mode).toBe('snapshot');
    expect(await call(await (await instances(component))(), 'Shop.Ask')).toMatchObject({
      tag: 'failure',
      val: { message: 'client capability not granted', errorType: { val: 'TaskerClientError' } },
    });
  },
  BUILD_MS,
);

it(
  'a handler that asks the orchestration and publishes reaches the host with the grants',
  async () => {
    const granted = { 'src/index.ts': ASKING, 'tasker.toml': `${TOML}[grants]\nclient = true\nevents = true\n` };
    const { component, initialization } = await build(packageOf(granted), () => {});
    expect(initialization.mode).toBe('snapshot');
    const outcome = await call(await (await instances(component))(), 'Shop.Ask');
    expect(outcome).toMatchObject({ tag: 'success' });
    expect(JSON.parse((outcome as { val: { result: string } }).val.result)).toEqual({
      created: { asked: 'submitTask', given: [expect.objectContaining({ name: 'orders', context: '{"order":7}' })] },
      task: { asked: 'getTask', given: ['t'] },
      event: '00000000-0000-0000-0000-000000000000',
    });
  },
  BUILD_MS,
);

it(
  'a handler that logs with pino type-checks without it, and logs to the host',
  async () => {
    const directory = packageOf({
      'src/index.ts': `import pino, { type Logger } from 'pino';
import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

const log: Logger = pino({ name: 'shop', level: 'debug', transport: { target: 'pino-pretty' } });

export class Charge extends StepHandler {
  static handlerName = 'Shop.Charge';

  async call(context: StepContext): Promise<StepHandlerResult> {
    log.child({ handler: context.handlerName }).info({ order: context.getInput('order') }, 'charging %s', 'now');
    return this.success({});
  }
}
`,
    });
    const { component, initialization } = await build(directory, () => {});
    expect(initialization.mode).toBe('snapshot');
    const instance = await (await instances(component))();
    expect(await call(instance, 'Shop.Charge', { order: 7 })).toMatchObject({ tag: 'success' });
    expect(instance.records).toEqual([['info', 'charging now', { name: 'shop', handler: 'Shop.Charge', order: 7 }]]);
  },
  BUILD_MS,
);

it(
  'a handler that was written against the pino it has installed keeps its types, and logs to the host',
  async () => {
    const directory = packageOf({
      'node_modules/pino/package.json':
        '{ "name": "pino", "version": "9.0.0", "types": "pino.d.ts", "main": "pino.js" }',
      'node_modules/pino/pino.d.ts':
        'export declare function pino(o: { only: "here" }): { info(m: string): void };\nexport default pino;\n',
      'node_modules/pino/pino.js': 'module.exports = require("node:worker_threads");\n',
      'src/index.ts': `import pino from 'pino';
import { StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

export class Charge extends StepHandler {
  static handlerName = 'Shop.Charge';

  async call(): Promise<StepHandlerResult> {
    pino({ only: 'here' }).info('charged');
    return this.success({});
  }
}
`,
    });
    const { component } = await build(directory, () => {});
    const instance = await (await instances(component))();
    expect(await call(instance, 'Shop.Charge')).toMatchObject({ tag: 'success' });
    expect(instance.records).toEqual([['info', 'charged', {}]]);
  },
  BUILD_MS,
);
