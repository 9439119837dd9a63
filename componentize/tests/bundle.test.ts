/** What goes into a bundle: code that no handler uses would be parsed and kept in every component. */

import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bundleOf, CHARGE, packageOf } from './package.js';

/** The folders of the SDK that a package of this source carries. */
async function foldersOf(source: string): Promise<string[]> {
  const { map } = await bundleOf(packageOf({ 'src/index.ts': source }));
  const folders = map.sources.map((file) => /^@tasker-wasm\/guest\/src\/(\w+)\//.exec(file)?.[1] ?? '');
  return [...new Set(folders)].filter((folder) => folder !== '').sort();
}

const SDK = "from '@tasker-systems/tasker';";
const ALWAYS = ['checkpoint', 'component', 'handler', 'logging', 'registry', 'types'];

it('a plain handler carries nothing for decisions, batches and functions', async () => {
  expect(await foldersOf(CHARGE)).toEqual(ALWAYS);
});

it('a plain handler stays small however much the SDK has', async () => {
  const { code } = await bundleOf(packageOf({ 'src/index.ts': CHARGE }));
  // The smallest SDK that ever ran a step took 41,400 bytes.
  expect(code.length).toBeLessThan(41_400 * 1.1);
});

it('a handler made of a function carries nothing for decisions and batches', async () => {
  const source = `import { defineHandler } ${SDK}\nexport const Charge = defineHandler('charge', {}, async () => ({}));\n`;
  expect(await foldersOf(source)).toEqual([...ALWAYS, 'dsl'].sort());
});

it('a decision carries nothing for batches', async () => {
  const source = `import { DecisionHandler } ${SDK}
export class Route extends DecisionHandler {
  static handlerName = 'route';
  async call() {
    return this.skipBranches('closed');
  }
}
`;
  expect(await foldersOf(source)).toEqual([...ALWAYS, 'decision'].sort());
});

it('a handler of an API carries nothing for decisions, batches and functions', async () => {
  const source = `import { ApiHandler } ${SDK}
export class Fetch extends ApiHandler {
  static handlerName = 'fetch';
  static baseUrl = 'https://api.example';
  async call() {
    return this.apiSuccess(await this.get('/orders'));
  }
}
`;
  expect(await foldersOf(source)).toEqual([...ALWAYS, 'api', 'platform'].sort());
});

it('a handler that asks the orchestration carries its client, and a name that is not imported nothing', async () => {
  const source = `import { getTaskerClient } ${SDK}\n${CHARGE}\nexport const client = getTaskerClient;\n`;
  expect(await foldersOf(source)).toEqual([...ALWAYS, 'client'].sort());
});

it('a handler that logs with pino carries the stand-in, whatever it asks for', async () => {
  const source = `import pino from 'pino';\nimport pretty from 'pino-pretty';\n${CHARGE}\nexport const log = pino(pretty());\n`;
  expect(await foldersOf(source)).toEqual([...ALWAYS, 'pino'].sort());
});

it('what a dependency leaves out for browsers is not taken for a file that was read', async () => {
  const { inputs } = await bundleOf(
    packageOf({
      'src/index.ts': `import 'inspecting';\n${CHARGE}`,
      'node_modules/inspecting/package.json': '{"main": "index.js", "browser": {"./node.js": false}}',
      'node_modules/inspecting/index.js': "globalThis.inspecting = require('./node');",
      'node_modules/inspecting/node.js': "module.exports = require('util').inspect;",
    }),
  );
  expect(inputs.filter((input) => !existsSync(input))).toEqual([]);
});
