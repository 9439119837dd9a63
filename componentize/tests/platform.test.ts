/** What of Node finds its way into a bundle, and what becomes of what a sandbox cannot give. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Bundle } from '../dist/bundle.js';
import type { PlatformAsks } from '../dist/platform.js';
import { probe } from '../dist/probe.js';
import { findToolchain, type World } from '../dist/toolchain.js';
import { typeCheck } from '../dist/type-check.js';
import { bundleOf, CHARGE, type Files, packageOf } from './package.js';
import { repository } from './support/component.js';

const toolchain = findToolchain();

const bundled = (files: Files, world: World = 'handler', asks?: PlatformAsks) =>
  bundleOf(packageOf(files), world, asks);

/** A handler whose result is this expression. */
const using = (expression: string, imports = ''): Files => ({
  'src/index.ts': `${imports}${CHARGE.replace("context.getInput('order_id')", expression)}`,
});

const size = async (files: Files): Promise<number> => (await bundled(files)).code.length;

const platformOf = ({ map }: Bundle): string[] =>
  map.sources.flatMap((source) => /^@tasker-wasm\/guest\/src\/platform\/(.*)\.ts$/.exec(source)?.[1] ?? []).sort();

describe('a bundle', () => {
  it('has nothing of the platform where nothing of it is used', async () => {
    const source = using('((process: string, fetch: () => string) => process + fetch())("a", () => "b")');
    expect(platformOf(await bundled(source))).toEqual([]);
  });

  it.each([
    ['process.pid', ['denied/environment', 'globals/process', 'process', 'unsupported']],
    ['globalThis.fetch("https://a.example")', ['fetch', 'globals/fetch']],
    ['typeof setImmediate', ['globals/timers', 'immediate']],
    ['Buffer.from("a")', ['buffer', 'globals/buffer']],
    ['global === globalThis', ['globals/global']],
    ['URL.canParse("a")', ['globals/url']],
    ['new Response("a").clone()', ['globals/response', 'response']],
    ['{ clone: () => 1 }.clone()', []],
    ['new TextDecoderStream()', ['globals/text-streams', 'text-streams']],
    ['(async () => { for await (const part of []) { return part; } })()', ['globals/streams', 'web-stream']],
    ['"ä".normalize("NFC")', ['globals/normalize']],
  ])('of a handler that uses %s has that', async (expression, modules) => {
    expect(platformOf(await bundled(using(expression)))).toEqual(modules);
  });

  it('of a handler that formats has what formats; one that only compares has no more than it needs', async () => {
    expect(platformOf(await bundled(using('(12).toLocaleString()')))).toContain('intl/number-format');
    expect(platformOf(await bundled(using('"a".localeCompare("b")')))).toEqual([
      'globals/locale-compare',
      'intl/collator',
      'intl/locale',
    ]);
  });

  it('has of a module what is imported from it', async () => {
    const plain = await size({ 'src/index.ts': CHARGE });
    const one = (module: string, name: string) =>
      size(using(`${name}`, `import { ${name} } from '${module}';\nglobalThis.name = String(${name});\n`));
    expect((await one('node:util', 'promisify')) - plain).toBeLessThan(4_000);
    expect((await one('node:url', 'fileURLToPath')) - plain).toBeLessThan(3_000);
    expect((await one('node:path', 'join')) - plain).toBeLessThan(20_000);
    expect((await one('crypto', 'randomUUID')) - plain).toBeLessThan(4_000);
  });

  it('asks the host for environment and files where the package asks for them, and nowhere else', async () => {
    const source = using('[process.env.REGION, existsSync("/data")]', "import { existsSync } from 'node:fs';\n");
    expect((await bundled(source)).code).not.toContain('wasi:');
    const { code } = await bundled(source, 'handler', { environment: true, mounts: true });
    expect(code).toContain('"wasi:cli/environment@0.2.12"');
    expect(code).toContain('"wasi:filesystem/preopens@0.2.12"');
  });
});

/** Bundles a package that calls a dependency when it loads, and loads it. */
async function loading(code: string, call: string, type = 'commonjs'): Promise<Bundle> {
  const files: Files = {
    'node_modules/helper/package.json': `{ "name": "helper", "type": "${type}", "main": "index.js" }`,
    'node_modules/helper/index.js': code,
    'src/index.ts': `import { help } from 'helper';\nexport const answer = ${call};\n${CHARGE}`,
  };
  const made = await bundled(files, 'full-handler');
  await probe(made);
  return made;
}

describe('a dependency that imports what a sandbox cannot give', () => {
  const net = `const net = require('net');\nexports.help = (host) => (host ? net.connect(1, host) : 'alone');\n`;

  it('is bundled with a warning, and works as long as it does not use it', async () => {
    const { warnings } = await loading(net, 'help()');
    expect(warnings).toEqual([
      "node_modules/helper/index.js:1:21: 'net' does not work in a component: a sandbox opens no sockets: use fetch",
    ]);
  });

  it('fails where it uses it', async () => {
    await expect(loading(net, 'help("a.example")')).rejects.toMatchObject({
      details: [
        expect.stringMatching(/SandboxUnsupportedError: net#connect does not work in a component: .*use fetch$/),
      ],
    });
  });

  it('may extend its classes, and import names that the platform lacks', async () => {
    const code = `import { existsSync, openSync } from 'node:fs';
import { Socket } from 'net';
import tls from 'tls';
class Line extends Socket {}
export const help = (path) => (path ? openSync(path) : [existsSync('/none'), typeof Line, typeof tls.connect]);
`;
    expect((await loading(code, 'help()', 'module')).warnings).toHaveLength(2);
    await expect(loading(code, 'help("/a")', 'module')).rejects.toMatchObject({
      details: [expect.stringContaining('node:fs#openSync does not work in a component')],
    });
  });
});

describe('a dependency in CommonJS', () => {
  it('gets the function, class or object that Node would give it', async () => {
    const code = `const EventEmitter = require('events');
const assert = require('assert');
const { join } = require('path');
const util = require('node:util');
function Bus() {
  EventEmitter.call(this);
}
util.inherits(Bus, EventEmitter);
exports.help = () => {
  const heard = [];
  const bus = new Bus().on('a', (value) => heard.push(value));
  bus.emit('a', join('x', 'y'));
  assert(heard[0] === 'x/y');
  assert.deepStrictEqual(heard, ['x/y']);
  return Buffer.from(typeof process).toString('hex');
};
`;
    expect((await loading(code, 'help()')).warnings).toEqual([]);
  });
});

it('axios sends its requests with fetch', async () => {
  const made = await bundleOf(join(repository, 'tests/guests/platform'));
  expect(made.warnings).toEqual([]);
  expect(made.inputs.filter((input) => /follow-redirects|axios\/lib\/adapters\/http\.js/.test(input))).toEqual([]);
});

it("a bundle's expressions with Unicode properties list their characters, and nothing else moves", async () => {
  const source = `${CHARGE}
export const words = (text: string) => [text.match(/\\p{Lu}+/gu), new RegExp('^\\\\p{L}/$', 'u').test(text)]; export const next = () => { throw new Error('here'); };
export const plain = /\\\\p{L}/;
`;
  const [lowered, columns] = [await bundled({ 'src/index.ts': source }), /throw new Error\("here"\)/];
  expect(lowered.code).not.toMatch(/\/\\p\{|"\^\\\\p/);
  const plain = await bundled({ 'src/index.ts': source.replaceAll('p{L', 'x{L') });
  const place = (code: string) => {
    const line = code.split('\n').findIndex((text) => columns.test(text));
    return [line, code.split('\n')[line]?.search(columns)];
  };
  expect(place(lowered.code)).toEqual(place(plain.code));
});

it('the builder declares what Node has, and says where the environment is empty', () => {
  const directory = packageOf({
    'src/index.ts': `import { readFile } from 'node:fs/promises';
${CHARGE}
export const read = async (): Promise<string> => (await readFile('/data/a', 'utf8')) + Buffer.from('a').toString('hex');
export const region = () => process.env.REGION;
`,
  });
  const { warnings } = typeCheck(directory, ['./src/index.ts'], false, toolchain);
  expect(warnings).toEqual([
    'src/index.ts:13:29: process.env is empty; ask for environment values in tasker.toml: under [grants], env = ["REGION"]',
  ]);
  expect(typeCheck(directory, ['./src/index.ts'], true, toolchain).warnings).toEqual([]);
});
