/** What the probe takes for pure at the top level of a module, and what it does not. */

import { describe, expect, it } from 'vitest';
import { type ProbeResult, probe } from '../dist/probe.js';
import type { World } from '../dist/toolchain.js';
import { bundleOf, CHARGE, type Files, packageOf, write } from './package.js';

async function probed(files: Files): Promise<ProbeResult> {
  return probe(await bundleOf(packageOf(files), 'full-handler'));
}

const IMPURE: ReadonlyArray<readonly [code: string, what: string]> = [
  ['Math.random()', 'Math.random()'],
  ['Date.now()', 'Date.now()'],
  ['new Date()', 'new Date()'],
  ['Date()', 'Date()'],
  ['setTimeout(() => {}, 1)', 'setTimeout()'],
  ['setInterval(() => {}, 1)', 'setInterval()'],
  ['crypto.randomUUID()', 'crypto.randomUUID()'],
  ['crypto.getRandomValues(new Uint8Array(1))', 'crypto.getRandomValues()'],
  ['performance.now()', 'performance.now()'],
  ['performance.timeOrigin', 'performance.timeOrigin'],
  ["fetch('http://127.0.0.1:1/')", 'fetch()'],
];

const PURE = [
  'new Date(0).toISOString()',
  'Date.UTC(2020, 1)',
  'new Map([[1, 2]])',
  "new URL('http://example.com/a')",
  'new Headers({ a: "b" })',
  'new AbortController()',
  'structuredClone({ a: 1 })',
  'new TextEncoder().encode("a")',
  'console.log("loaded")',
  'queueMicrotask(() => {})',
  'new Date(0) instanceof Date',
  '() => Math.random() + Date.now()',
  'await Promise.resolve(1)',
];

describe('the top level of a module', () => {
  it('is impure when it uses randomness, time, timers or the network; each use is named with its place', async () => {
    const lines = IMPURE.map(([code], index) => `export const v${index} = ${code};`);
    const { impurities } = await probed({ 'src/index.ts': `${CHARGE}${lines.join('\n')}\n` });
    const first = CHARGE.split('\n').length;
    expect(impurities.map((text) => text.replace(/:\d+\)$/, ')'))).toEqual(
      IMPURE.map(([, what], index) => `${what} (src/index.ts:${first + index})`),
    );
  });

  it('is impure when it asks the host', async () => {
    const source = `import { get } from 'tasker:handler/config@0.1.0';\nexport const zone = get('zone');\n${CHARGE}`;
    expect((await probed({ 'src/index.ts': source })).impurities).toEqual([
      'a host import, tasker:handler/config@0.1.0#get (src/index.ts:2:21)',
    ]);
  });

  it('is impure in the module that is, even when another imports it', async () => {
    const { impurities } = await probed({
      'src/index.ts': `import './ids.js';\n${CHARGE}`,
      'src/ids.ts': '\n\nfunction make(): number {\n  return Math.random();\n}\nexport const id = make();\n',
    });
    expect(impurities).toEqual(['Math.random() (src/ids.ts:4:15)']);
  });

  it('is pure when it does nothing of the kind, though its functions may', async () => {
    const lines = PURE.map((code, index) => `export const v${index} = ${code};`);
    const { impurities } = await probed({ 'src/index.ts': `${CHARGE}${lines.join('\n')}\n` });
    expect(impurities).toEqual([]);
  });
});

describe('the handlers of a package', () => {
  it('are found in its index, with their methods', async () => {
    const { handlers } = await probed({
      'src/index.ts': CHARGE.replace('  async call', '  async refund() { return this.success({}); }\n\n  async call'),
      'src/unused.ts': CHARGE.replaceAll('Charge', 'Unused'),
    });
    expect(handlers).toEqual([
      { name: 'Shop.Charge', version: '1.0.0', capabilities: ['process'], methods: ['call', 'refund'] },
    ]);
  });

  it('are found in every module where there is no index, but for tests and private ones', async () => {
    const { handlers } = await probed({
      'src/index.ts': null,
      'src/charge.ts': CHARGE,
      'src/deep/ship.ts': CHARGE.replaceAll('Charge', 'Ship'),
      'src/_private.ts': CHARGE.replaceAll('Charge', 'Private'),
      'src/charge.test.ts': CHARGE.replaceAll('Charge', 'Tested'),
    });
    expect(handlers.map(({ name }) => name).sort()).toEqual(['Shop.Charge', 'Shop.Ship']);
  });

  it.each([
    '@tasker-systems/tasker',
    '@tasker-systems/worker',
    '@tasker/worker-typescript',
    '@tasker-systems/tasker/handler/base',
  ])('may import the SDK as %s', async (specifier) => {
    const { handlers } = await probed({ 'src/index.ts': CHARGE.replace('@tasker-systems/tasker', specifier) });
    expect(handlers).toHaveLength(1);
  });
});

describe('the publishers and subscribers of a package', () => {
  const EVENTS = `import { BasePublisher, BaseSubscriber, PublisherRegistry, SubscriberRegistry } from '@tasker-systems/tasker';
class Registered extends BasePublisher {
  readonly publisherName = 'registered';
}
export class Exported extends BasePublisher {
  static publisherName = 'exported';
  async afterPublish(): Promise<void> {}
}
class Metrics extends BaseSubscriber {
  handle(): void {}
}
export class Audit extends BaseSubscriber {
  static subscribesTo(): string[] {
    return ['order.*'];
  }
  handle(): void {}
}
PublisherRegistry.instance.register(new Registered());
SubscriberRegistry.instance.register(Metrics);
`;

  it('are found in what it exports and in what it registers, which is pure', async () => {
    const found = await probed({ 'src/index.ts': `export * from './events.js';\n${CHARGE}`, 'src/events.ts': EVENTS });
    expect(found).toMatchObject({
      handlers: [{ name: 'Shop.Charge' }],
      publishers: [
        { name: 'registered', reports: false },
        { name: 'exported', reports: true },
      ],
      subscriptions: [
        { subscriber: 'Metrics', patterns: ['*'] },
        { subscriber: 'Audit', patterns: ['order.*'] },
      ],
      impurities: [],
    });
  });

  it('are nothing that a plain package carries', async () => {
    const directory = packageOf();
    const codeOf = async (world: World, source: string) => {
      write(directory, { 'src/index.ts': source });
      const { code } = await bundleOf(directory, world);
      return code;
    };
    const names = /\bBasePublisher\b|\bBaseSubscriber\b|PublisherRegistry|InProcessDomainEventPoller/;
    expect(await codeOf('handler', CHARGE)).not.toMatch(names);
    expect(await codeOf('full-handler', `${CHARGE}${EVENTS}`)).toMatch(names);
  });
});
