/** What a package asks for in tasker.toml, as the host reads it from the manifest and meets it in the component. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { askedImports, askedWorld, exportedNames, importedNames } from '../dist/asked-imports.js';
import { build } from '../dist/build.js';
import { readPackageConfig } from '../dist/package-config.js';
import { findToolchain } from '../dist/toolchain.js';
import { urlPatternProblem } from '../dist/url-pattern.js';
import { packageOf } from './package.js';
import { call, instances } from './support/component.js';

const BUILD_MS = 180_000;

const config = (toml: string) =>
  readPackageConfig(packageOf({ 'tasker.toml': `name = "shop"\nnamespace = "shop_workflow"\n${toml}` }));

describe('tasker.toml', () => {
  it('asks for nothing where nothing is written, and where everything is empty', () => {
    for (const toml of ['', '[limits]\n[grants]\nhttp = []\nenv = []\nclient = false\n']) {
      expect(config(toml)).toMatchObject({ limits: null, handlerLimits: [], grants: null });
    }
  });

  it('says every limit by the name the host knows, for all handlers and for one', () => {
    const names =
      'fuel memory_mb timeout_ms result_bytes log_lines log_bytes http_requests http_concurrent http_request_bytes ' +
      'http_response_bytes fs_write_bytes checkpoint_bytes client_calls events';
    const every = Object.fromEntries(names.split(' ').map((name, index) => [name, index + 2]));
    const toml = Object.entries(every).map(([name, limit]) => `${name} = ${limit}`);
    const read = config(`[limits]\n${toml.join('\n')}\n[handlers."Shop.Charge".limits]\nlog_lines = 0\n`);
    expect(read.limits).toEqual(every);
    expect(read.handlerLimits).toEqual([
      { callable: 'Shop.Charge', limits: { log_lines: 0 }, location: 'tasker.toml:18' },
    ]);
  });

  it('completes what is asked with the defaults', () => {
    const { grants } = config(
      '[grants]\nhttp = [{ url = "https://a.example" }, { url = "http://*:8080/v1", methods = ["GET", "GET"] }]\n' +
        'mounts = [{ path = "/data" }, { path = "/out", access = "read-write" }]\nsecrets = ["KEY", "KEY"]\nevents = true\n',
    );
    expect(grants).toEqual({
      http: [
        { url: 'https://a.example', methods: [] },
        { url: 'http://*:8080/v1', methods: ['GET'] },
      ],
      mounts: [
        { path: '/data', access: 'read-only' },
        { path: '/out', access: 'read-write' },
      ],
      env: [],
      secrets: ['KEY'],
      client: false,
      events: true,
    });
  });
});

describe('a URL pattern', () => {
  it.each([
    'https://a.example',
    'https://A.example./x',
    'https://*.a.example',
    'http://*',
    'http://*:8080',
    'https://a:8443/v1',
    'http://[::1]:8080',
    'http://[0:0::1]',
    'https://10.0.0.1',
    'https://a/v1/a..b',
    'https://under_score-d.example',
  ])('may be %s', (text) => {
    expect(urlPatternProblem(text)).toBeNull();
  });

  it.each([
    ['a.example', 'no scheme'],
    ['ftp://a', 'expected https or http'],
    ['HTTPS://a', 'expected https or http'],
    ['https://user:secret@a', 'credentials are granted as secrets'],
    ['https://', 'its host'],
    ['https://a..b', 'its host'],
    ['https://2130706433', 'its host'],
    ['https://0x7f.1', 'its host'],
    ['https://017700000001', 'its host'],
    ['https://1.2.3', 'its host'],
    ['https://a.*.b', 'its host'],
    ['https://*.', 'its host'],
    ['https://ä.example', 'its host'],
    ['https://[fe80::1%eth0]', 'its host'],
    ['https://::1', 'its port'],
    ['https://[::1', 'closing bracket'],
    ['https://[::1]x', 'expected a port'],
    ['https://a:0', '1 to 65535'],
    ['https://a:65536', '1 to 65535'],
    ['https://a/x?y', 'its path'],
    ['https://a/*', 'its path'],
    ['https://a/../b', 'its path'],
    ['https://a/%2E%2e/b', 'its path'],
    ['https://a/..;x/b', 'its path'],
    ['https://a/%252e', 'its path'],
  ])('is not %s', (text, part) => {
    expect(urlPatternProblem(text)).toContain(part);
  });
});

describe('the world of a package', () => {
  it('imports what is asked and nothing else', () => {
    const nothing = { http: [], mounts: [], env: [], secrets: [], client: false, events: false };
    expect(askedImports(null)).toEqual([]);
    expect(askedImports({ ...nothing, http: [{ url: 'https://a', methods: [] }] })).toEqual([]);
    expect(askedImports({ ...nothing, secrets: ['KEY'] })).toEqual(['wasi:cli/environment@0.2.12']);
    expect(askedImports({ ...nothing, client: true, events: true })).toEqual([
      'tasker:handler/client@0.1.0',
      'tasker:handler/events@0.1.0',
    ]);
    expect(askedWorld('handler', ['tasker:handler/client@0.1.0'])).toContain('\n    import client;\n');
    const mounts = askedImports({ ...nothing, mounts: [{ path: '/data', access: 'read-only' }] });
    expect(askedWorld('full-handler', mounts)).toBe(
      'package tasker:handler@0.1.0;\n\nworld asked {\n    include full-handler;\n' +
        '    import wasi:filesystem/types@0.2.12;\n    import wasi:filesystem/preopens@0.2.12;\n}\n',
    );
  });

  it('names what its modules export as JavaScript does', () => {
    expect(importedNames(['wasi:filesystem/types@0.2.12', 'wasi:cli/environment@0.2.12'], findToolchain().wit)).toEqual(
      {
        'wasi:filesystem/types@0.2.12': ['Descriptor', 'DirectoryEntryStream', 'filesystemErrorCode'],
        'wasi:cli/environment@0.2.12': ['getEnvironment', 'getArguments', 'initialCwd'],
      },
    );
    expect(
      exportedNames(
        'interface client {\n  /// create: func()\n  create-task: func(a: b) -> result<c, d>;\n  %list: func();\n  record x { y: z }\n}\ninterface other {\n  no: func();\n}',
        'client',
      ),
    ).toEqual(['createTask', 'list']);
  });
});

const READER = `import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';
import { Descriptor } from 'wasi:filesystem/types@0.2.12';
import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

export class Read extends StepHandler {
  static handlerName = 'Shop.Read';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const directories = getDirectories().map(([directory, path]) => [path, directory instanceof Descriptor]);
    return this.success({ region: process.env.REGION, gone: process.env.GONE ?? null, directories });
  }
}
`;

it(
  'a package that asks is built with the imports it needs, and says in its manifest what it asks for',
  async () => {
    const directory = packageOf({
      'tasker.toml':
        'name = "shop"\nnamespace = "shop_workflow"\n[limits]\nfuel = 5\n[handlers."Shop.Read".limits]\nmemory_mb = 64\n' +
        '[grants]\nenv = ["REGION"]\nmounts = [{ path = "/data" }]\n',
      'src/index.ts': READER,
    });
    const { component, initialization } = await build(directory, () => {});

    expect(initialization.mode).toBe('snapshot');
    const manifest = JSON.parse(readFileSync(join(directory, 'dist/shop.manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({
      world: 'handler',
      handlers: [{ name: 'Shop.Read', limits: { memory_mb: 64 } }],
      limits: { fuel: 5 },
      grants: { env: ['REGION'], mounts: [{ path: '/data', access: 'read-only' }], client: false },
    });
    const instance = await (await instances(component))();
    const outcome = await call(instance, 'Shop.Read');
    const result = JSON.parse((outcome as { val: { result: string } }).val.result);
    expect(result).toMatchObject({ region: 'eu', gone: null });
    // Node's stand-in for WASI grants the root directory.
    expect(result.directories).toEqual([['/', true]]);
  },
  BUILD_MS,
);
