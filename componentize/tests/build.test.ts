/** Builds that go all the way. They take long, so they are few, and each shows all it can. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import sdk from '../../guest-ts/package.json' with { type: 'json' };
import { build } from '../dist/build.js';
import { lastBuild, outputPaths } from '../dist/output.js';
import packageJson from '../package.json' with { type: 'json' };
import { CHARGE, type Files, packageOf, refusal, write } from './package.js';

/** Two builds at a time on two busy cores. */
const TIMEOUT_MS = 120_000;

const quiet = () => {};
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

const FILES = {
  'tasker.toml': `name = "shop"
namespace = "shop_workflow"
[grants]
env = ["REGION"]
[settings]
zone = "eu"
limits = { retries = 3 }
`,
  'template.yaml': 'name: charge\nsteps:\n  - name: charge\n    handler:\n      callable: Shop.Charge\n',
  'src/index.ts': null,
  'src/charge.ts': `${CHARGE}export const region = () => process.env.REGION;\n`,
  'src/ship.ts': CHARGE.replaceAll('Charge', 'Ship'),
};

it(
  'a pure package becomes a component with a snapshot, once, until something it was made from changes',
  async () => {
    const [directory, elsewhere] = [packageOf(FILES), packageOf(FILES)];

    // Two at once in one directory: one builds, the other waits for it.
    const waited: string[] = [];
    const results = await Promise.all([
      build(directory, (line) => waited.push(line)),
      build(directory, (line) => waited.push(line)),
      build(elsewhere, quiet),
    ]);
    expect(results.map(({ built }) => built).sort()).toEqual([false, true, true]);
    expect(waited).toContain(`shop: waiting for the build of process ${process.pid}`);

    const component = readFileSync(join(directory, 'dist/shop.wasm'));
    expect(component.subarray(0, 8)).toEqual(Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
    const manifest = json(directory, 'dist/shop.manifest.json');
    const described = { version: '1.0.0', capabilities: ['process'], methods: ['call'] };
    expect(manifest).toEqual({
      manifest_version: 1,
      name: 'shop',
      namespace: 'shop_workflow',
      component: 'shop.wasm',
      component_sha256: createHash('sha256').update(component).digest('hex'),
      source_map: 'shop.wasm.map',
      initialization: { mode: 'snapshot', reason: 'the module top level is pure' },
      input_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      sdk: { name: sdk.name, version: sdk.version },
      engine: {
        name: 'starlingmonkey',
        componentize_js: packageJson.dependencies['@bytecodealliance/componentize-js'],
      },
      world: 'handler',
      handlers: [
        { name: 'Shop.Charge', ...described },
        { name: 'Shop.Ship', ...described },
      ],
      publishers: [],
      subscriptions: [],
      settings: { zone: 'eu', limits: { retries: 3 } },
      grants: { http: [], mounts: [], env: ['REGION'], secrets: [], client: false, events: false },
    });
    const map = json(directory, 'dist/shop.wasm.map');
    expect(map).toMatchObject({ version: 3, file: 'shop.js' });
    expect(map.sources).toContain('src/charge.ts');
    expect(map.sources.every((source: string) => !source.startsWith('/') && !source.startsWith('..'))).toBe(true);
    expect(readdirSync(join(directory, 'dist')).filter((name) => /lock|tmp/.test(name))).toEqual([]);

    // The same wherever it is built, but for the engine's memory, of which some bytes are random.
    const other = json(elsewhere, 'dist/shop.manifest.json');
    expect({ ...other, component_sha256: manifest.component_sha256 }).toEqual(manifest);
    expect(json(elsewhere, 'dist/shop.wasm.map')).toEqual(map);

    // A later time stamp alone is no change.
    utimesSync(join(directory, 'src/charge.ts'), new Date(), new Date(Date.now() + 5000));
    expect(await build(directory, quiet)).toMatchObject({ built: false, bytes: component.length });

    // Each change is noticed: with it the package no longer builds. Taken back, the component is up to date again.
    const changes: Files[] = [
      { 'src/charge.ts': CHARGE.replace('getInput', 'getInputs') },
      { 'template.yaml': FILES['template.yaml'].replace('Charge', 'Gone') },
      { 'src/examples/index.ts': 'export const nothing: string = 1;\n' },
      { 'tsconfig.json': '{ "compilerOptions": { "target": "ES1" } }' },
    ];
    for (const change of changes) {
      write(directory, change);
      await refusal(directory);
      const before: Files = FILES;
      write(directory, Object.fromEntries(Object.keys(change).map((name) => [name, before[name] ?? null])));
      expect(await build(directory, quiet)).toMatchObject({ built: false });
    }
  },
  TIMEOUT_MS,
);

it(
  'one module becomes a component without any configuration; if it is impure, in the first call, and the build says why',
  async () => {
    const directory = packageOf({
      'package.json': null,
      'tasker.toml': null,
      'src/index.ts': null,
      'handler.ts': `${CHARGE}export const instance = crypto.randomUUID();\n`,
    });
    const path = join(directory, 'handler.ts');
    const result = await build(path, quiet);
    expect(result).toMatchObject({
      name: 'handler',
      built: true,
      component: join(directory, 'dist/handler.wasm'),
      initialization: {
        mode: 'lazy',
        reason: 'the module top level uses crypto.randomUUID() (handler.ts:10:32)',
      },
    });
    expect(result.parts.map(({ name }) => name)).toEqual(['@tasker-wasm/guest', 'handler']);
    expect(json(directory, 'dist/handler.manifest.json')).toMatchObject({
      namespace: 'default',
      initialization: result.initialization,
      handlers: [{ name: 'Shop.Charge' }],
    });

    // A module beside it is none of its inputs.
    write(directory, { 'more.ts': 'export const wrong: string = 1;\n' });
    expect(await build(path, quiet)).toMatchObject({ built: false });

    // The manifest alone does not make a component: a lost file is made again.
    const paths = outputPaths(directory, 'handler');
    expect(lastBuild(paths)).not.toBeNull();
    write(directory, { 'dist/handler.wasm.map': null });
    expect(lastBuild(paths)).toBeNull();
  },
  TIMEOUT_MS,
);
