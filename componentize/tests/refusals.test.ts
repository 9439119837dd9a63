/** What the builder says about packages it cannot build, word by word: `golden/<case>.txt`. */

import { describe, expect, it } from 'vitest';
import { CHARGE, type Files, packageOf, refusal } from './package.js';

const TOML = 'name = "shop"\nnamespace = "shop_workflow"\n';
const template = (handler: string) => `name: charge
namespace_name: shop_workflow
version: 1.0.0
steps:
  - name: charge
    handler:
${handler}
`;

const PUBLISHER = `import { BasePublisher } from '@tasker-systems/tasker';

export class Refunds extends BasePublisher {
  readonly publisherName = 'refunds';
}
`;
/** A step that publishes two events, each with a publisher. */
const publishing = (first: string, second: string) => `${template('      callable: Shop.Charge')}\
    publishes_events:
      - name: order.charged
        publisher: ${first}
      - name: order.refunded
        condition: always
        publisher: ${second}
`;

const CASES: Record<string, Files> = {
  'tasker-toml-not-toml': { 'tasker.toml': 'name = "shop"\nnamespace = shop\n' },
  'tasker-toml-unknown-key': { 'tasker.toml': `${TOML}inital = true\n[build]\nmode = "lazy"\n` },
  'tasker-toml-bad-name': { 'tasker.toml': 'name = "../Shop"\nnamespace = "shop_workflow"\n' },
  'tasker-toml-bad-namespace': { 'tasker.toml': 'name = "shop"\nnamespace = "shop-workflow"\n' },
  'tasker-toml-namespace-too-long': { 'tasker.toml': `name = "shop"\nnamespace = "${'n'.repeat(35)}"\n` },
  'tasker-toml-bad-initialization': { 'tasker.toml': `${TOML}[build]\ninitialization = "eager"\n` },
  'tasker-toml-not-tables': { 'tasker.toml': `${TOML}settings = 1\nbuild = "lazy"\n` },
  'tasker-toml-bad-limits': {
    'tasker.toml': `${TOML}
[limits]
fuel = 2_000_000_000
memory = 64
timeout_ms = 0
log_lines = 0

[handlers."Shop.Charge".limits]
http_concurrent = 0
memory_mb = 1.5

[handlers.Shop.Refund]
limits = { fuel = "much" }

[settings]
fuel = "not a limit"
`,
  },
  'tasker-toml-bad-grants': {
    'tasker.toml': `${TOML}
[grants]
http = [
  { url = "https://*.example.com/v1", methods = ["GET"] },
  { url = "https://2130706433" },
  { url = "https://api.example.com", methods = ["get"] },
  { url = "https://b.example.com", networks = ["10.0.0.0/8"] },
  "https://c.example.com",
  { methods = ["GET"] },
]
mounts = [{ path = "/data" }, { path = "/data/../etc" }, { path = "/data", access = "read-write" }, { path = "/x", access = "all" }]
env = ["REGION", "no-name"]
secrets = ["REGION"]
client = "yes"
sockets = true
`,
  },
  'tasker-toml-grants-of-other-kinds': {
    'tasker.toml': `${TOML}limits = 3\nhandlers = 4\n[grants]\nhttp = "https://a.example"\nenv = "REGION"\nmounts = ["/data"]\n`,
  },
  'tasker-toml-limits-an-unknown-handler': {
    'tasker.toml': `${TOML}\n[handlers."Shop.Charge".limits]\nfuel = 1\n[handlers.Shop.limits]\nfuel = 1\n`,
  },
  'imports-what-is-not-asked': {
    'src/index.ts': `import { getEnvironment } from 'wasi:cli/environment@0.2.12';\n${CHARGE}export const seen = () => getEnvironment();\n`,
  },
  'imports-what-nothing-grants': {
    'tasker.toml': `${TOML}[grants]\nenv = ["REGION"]\n`,
    'src/index.ts': `${CHARGE}export const seen = () => import('wasi:sockets/tcp@0.2.12');\n`,
  },
  'tsconfig-not-valid': { 'tsconfig.json': '{ "compilerOptions": { "target": "ES1" } }' },
  'no-modules': { 'src/index.ts': null, 'src/README': 'soon' },
  'no-handlers': { 'src/index.ts': 'export const charge = () => 1;\n' },
  'two-handlers-with-one-name': {
    'src/index.ts': `export * from './charge.js';\nexport * from './refund.js';\n`,
    'src/charge.ts': CHARGE,
    'src/refund.ts': CHARGE.replace('class Charge', 'class Refund'),
  },
  'type-errors': {
    'src/index.ts': CHARGE.replace('getInput', 'getInputs'),
    'src/unused.ts': 'export const never: string = 1;\n',
  },
  'type-error-in-an-imported-module': {
    'src/index.ts': `import './helper.js';\n${CHARGE}`,
    'src/helper.ts': '\nexport const total: number =\n  "much";\n',
  },
  'imports-the-worker': {
    'src/index.ts': `import { WorkerServer, EventPoller as Poller } from '@tasker-systems/tasker';\nexport { RuntimeFactory } from '@tasker-systems/worker/runtime';\n${CHARGE}console.log(WorkerServer, Poller);\n`,
  },
  'unicode-property-unknown': {
    'src/index.ts': `import './words.js';\n${CHARGE}`,
    'src/words.js': `export const words = (text) => text.match(/\\p{Nonsense}+/u);\nglobalThis.words = words;\n`,
  },
  'imports-what-a-sandbox-cannot-give': {
    'src/index.ts': `import { spawn } from 'node:child_process';
import https from 'https';
import { Worker } from 'node:worker_threads';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { openSync } from 'node:fs';
${CHARGE}
export const used = [spawn, https, Worker, AsyncLocalStorage, openSync, (socket: Socket) => socket];
// @ts-expect-error: nothing declares it.
export const addon = () => import('./addon.node');
export const loaded = () => import('node:vm');
`,
  },
  'imports-a-name-that-the-platform-lacks': {
    'src/index.ts': `import { openSync } from 'node:fs';\n${CHARGE}\nexport const open = () => openSync('/data/a', 'r');\n`,
  },
  'imports-a-missing-module': { 'src/index.ts': null, 'src/index.js': `import './gone.js';\n` },
  'runs-in-another-runtime': {
    'src/index.ts': `import './elsewhere.js';\n${CHARGE}`,
    'src/elsewhere.js': `export const file = Bun.file('a');\nexport const home = Deno.env.get('HOME');\n`,
  },
  'fails-when-loaded': {
    'src/index.ts': `${CHARGE}\nfunction key(): never {\n  throw new RangeError('no key');\n}\nkey();\n`,
  },
  'never-finishes-loading': { 'src/index.ts': `${CHARGE}\nawait new Promise(() => {});\n` },
  'template-names-an-unknown-handler': { 'template.yaml': template('      callable: Shop.Refund') },
  'template-names-an-unknown-method': {
    'template.yaml': template('      callable: Shop.Charge\n      method: refund'),
  },
  'template-names-an-unknown-publisher': {
    'src/index.ts': `export * from './charge.js';\nexport * from './refunds.js';\n`,
    'src/charge.ts': CHARGE,
    'src/refunds.ts': PUBLISHER,
    'template.yaml': publishing('charges', 'refunds'),
  },
  'template-names-publishers-and-there-are-none': { 'template.yaml': publishing('default', 'refunds') },
  'two-publishers-with-one-name': {
    'src/index.ts': `export * from './refunds.js';\nexport * from './more.js';\n${CHARGE}`,
    'src/refunds.ts': PUBLISHER,
    'src/more.ts': PUBLISHER.replace('class Refunds', 'class MoreRefunds'),
  },
  'template-names-another-namespace': {
    'template.yaml': template('      callable: Shop.Charge').replace('shop_', 'toy_'),
  },
  'template-names-no-namespace': {
    'tasker.toml': null,
    'template.yaml': template('      callable: Shop.Charge').replace('shop_workflow', 'shop-workflow'),
  },
  'several-things-at-once': {
    'src/index.ts': `${CHARGE.replace('getInput', 'getInputs')}import { gone } from './gone.js';\nexport const left = gone;\n`,
  },
  'wrong-types-and-a-wrong-template': {
    'src/index.ts': CHARGE.replace('getInput', 'getInputs'),
    'template.yaml': template('      callable: Shop.Refund'),
  },
  'template-not-yaml': { 'template.yaml': 'name: [charge\nsteps:\n  - a: {\n' },
  'snapshot-insisted-on-and-impossible': {
    'tasker.toml': `${TOML}[build]\ninitialization = "snapshot"\n`,
    'src/index.ts': `import './ids.js';\n${CHARGE}`,
    'src/ids.ts': 'export const instance = crypto.randomUUID();\nexport const loadedAt = Date.now();\n',
  },
};

describe('a package that cannot be built is told why', () => {
  it.each(Object.entries(CASES))('%s', async (name, files) => {
    await expect(await refusal(packageOf(files))).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it.each([
    ['path-does-not-exist', 'gone'],
    ['path-is-no-module', 'tasker.toml'],
    ['path-is-a-test', 'charge.test.ts'],
  ])('%s', async (name, path) => {
    const directory = packageOf({ 'charge.test.ts': CHARGE });
    await expect(await refusal(directory, path)).toMatchFileSnapshot(`golden/${name}.txt`);
  });
});
