/** Builds that go all the way. They take long, so they are few, and each shows all it can. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import sdk from '../../guest-ts/package.json' with { type: 'json' };
import { build } from '../dist/build.js';
import { lastBuild, outputPaths } from '../dist/output.js';
import packageJson from '../package.json' with { type: 'json' };
import { CHARGE, packageOf, refusal, write } from './package.js';

/** Two builds at a time on two busy cores. */
const TIMEOUT_MS = 120_000;

const quiet = () => {};
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

it(
  'a pure package becomes a component with a snapshot, once, until something it was made from changes',
  async () => {
    const directory = packageOf({
      'tasker.toml': 'name = "shop"\nnamespace = "shop_workflow"\n[settings]\nzone = "eu"\nlimits = { retries = 3 }\n',
      'template.yaml': 'name: charge\nsteps:\n  - name: charge\n    handler:\n      callable: Shop.Charge\n',
    });

    // Two at once: one builds, the other waits for it.
    const waited: string[] = [];
    const results = await Promise.all([
      build(directory, (line) => waited.push(line)),
      build(directory, (line) => waited.push(line)),
    ]);
    expect(results.map(({ built }) => built).sort()).toEqual([false, true]);
    expect(waited).toContain(`shop: waiting for the build of process ${process.pid}`);

    const component = readFileSync(join(directory, 'dist/shop.wasm'));
    expect(component.subarray(0, 8)).toEqual(Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
    expect(json(directory, 'dist/shop.manifest.json')).toEqual({
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
      handlers: [{ name: 'Shop.Charge', version: '1.0.0', capabilities: ['process'], methods: ['call'] }],
      publishers: [],
      subscriptions: [],
      settings: { zone: 'eu', limits: { retries: 3 } },
    });
    const map = json(directory, 'dist/shop.wasm.map');
    expect(map).toMatchObject({ version: 3, file: 'shop.js' });
    expect(map.sources).toContain('src/index.ts');
    expect(map.sources.every((source: string) => !source.startsWith('/') && !source.startsWith('..'))).toBe(true);
    expect(readdirSync(join(directory, 'dist')).filter((name) => /lock|tmp/.test(name))).toEqual([]);

    // A later time stamp alone is no change.
    utimesSync(join(directory, 'src/index.ts'), new Date(), new Date(Date.now() + 5000));
    expect(await build(directory, quiet)).toMatchObject({ built: false, bytes: component.length });

    // Each change is noticed: with it the package no longer builds. Taken back, the component is up to date again.
    const changes: Array<Record<string, string>> = [
      { 'src/index.ts': CHARGE.replace('getInput', 'getInputs') },
      { 'template.yaml': 'name: charge\nsteps:\n  - name: charge\n    handler:\n      callable: Shop.Gone\n' },
      { 'src/examples/index.ts': 'export const nothing: string = 1;\n' },
      { 'tsconfig.json': '{ "compilerOptions": { "target": "ES1" } }' },
    ];
    for (const change of changes) {
      const before = Object.fromEntries(
        Object.keys(change).map((name) => [name, contentOrNull(directory, name)] as const),
      );
      write(directory, change);
      await refusal(directory);
      write(directory, before);
      expect(await build(directory, quiet)).toMatchObject({ built: false });
    }
  },
  TIMEOUT_MS,
);

it(
  'an impure package becomes a component that is initialised in its first call, and says why',
  async () => {
    const directory = packageOf({ 'src/index.ts': `${CHARGE}export const instance = crypto.randomUUID();\n` });
    const { initialization } = await build(directory, quiet);
    expect(initialization).toEqual({
      mode: 'lazy',
      reason: 'the module top level uses crypto.randomUUID() (src/index.ts:10:32)',
    });
    expect(json(directory, 'dist/shop.manifest.json').initialization).toEqual(initialization);

    // The manifest alone does not make a component: a lost file is made again.
    const paths = outputPaths(directory, 'shop');
    expect(lastBuild(paths)).not.toBeNull();
    write(directory, { 'dist/shop.wasm.map': null });
    expect(lastBuild(paths)).toBeNull();
  },
  TIMEOUT_MS,
);

it(
  'the same sources make the same manifest and source map, wherever they are',
  async () => {
    const files = {
      'tasker.toml':
        'name = "shop"\nnamespace = "shop_workflow"\n[grants]\nenv = ["REGION"]\n[settings]\nb = 1\na = 2\n',
      'src/index.ts': null,
      'src/charge.ts': `${CHARGE}export const region = () => process.env.REGION;\n`,
      'src/ship.ts': CHARGE.replaceAll('Charge', 'Ship'),
    };
    const directories = [packageOf(files), packageOf(files)];
    await Promise.all(directories.map((directory) => build(directory, quiet)));
    const [one, other] = directories.map((directory) => ({
      // Of the engine's memory, some bytes are random.
      manifest: { ...json(directory, 'dist/shop.manifest.json'), component_sha256: null },
      map: readFileSync(join(directory, 'dist/shop.wasm.map'), 'utf8'),
    }));
    expect(other).toEqual(one);
  },
  TIMEOUT_MS,
);

it(
  'one module becomes a component without any configuration',
  async () => {
    const directory = packageOf({
      'package.json': null,
      'tasker.toml': null,
      'src/index.ts': null,
      'handler.ts': CHARGE,
    });
    const result = await build(join(directory, 'handler.ts'), quiet);
    expect(result).toMatchObject({ name: 'handler', built: true, component: join(directory, 'dist/handler.wasm') });
    expect(result.parts.map(({ name }) => name)).toEqual(['@tasker-wasm/guest', 'handler']);
    expect(json(directory, 'dist/handler.manifest.json')).toMatchObject({
      namespace: 'default',
      handlers: [{ name: 'Shop.Charge' }],
    });

    // A module beside it is none of its inputs.
    write(directory, { 'more.ts': 'export const wrong: string = 1;\n' });
    expect(await build(join(directory, 'handler.ts'), quiet)).toMatchObject({ built: false });
  },
  TIMEOUT_MS,
);

function contentOrNull(directory: string, name: string): string | null {
  try {
    return readFileSync(join(directory, name), 'utf8');
  } catch {
    return null;
  }
}
