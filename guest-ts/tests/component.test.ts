import { beforeEach, describe, expect, it, vi } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import type { PackageModules, WitHandlerDescriptor } from '../src/component/index.js';
import type * as sdk from '../src/index.js';
import { Charge, Ship, Unbuildable } from './handlers.js';
import type { hostLog as HostLog } from './host/log.js';
import { dispatchErrorOf, successOf, witContext } from './support.js';

type Component = typeof import('../src/component/index.js');

let component: Component;
let hostLog: typeof HostLog;
let fresh: typeof sdk;

/** A component has module state of its own: each test gets a component that has not been called. */
beforeEach(async () => {
  vi.resetModules();
  component = await import('../src/component/index.js');
  fresh = await import('../src/index.js');
  ({ hostLog } = await import('./host/log.js'));
  vi.spyOn(console, 'info').mockImplementation(() => {});
});

const modules = (...discover: PackageModules['discover']): PackageModules => ({ discover, table: {} });

describe('the description of a component', () => {
  it('names the SDK and its version', () => {
    expect(component.snapshotComponent(modules({ Ship })).describe().sdk).toEqual({
      name: packageJson.name,
      version: packageJson.version,
      language: 'typescript',
    });
  });

  it('lists each handler with its version, capabilities, methods and schema', () => {
    expect(component.snapshotComponent(modules({ Charge, Ship })).describe().handlers).toEqual([
      {
        name: 'Shop.Charge',
        version: '2.0.0',
        capabilities: ['process', 'payments'],
        methods: ['call', 'refund'],
        configSchema: '{"type":"object"}',
      },
      { name: 'Shop.Ship', version: '1.0.0', capabilities: ['process'], methods: ['call'], configSchema: undefined },
    ]);
  });

  it('has a handler that cannot be constructed, from its class', () => {
    expect(component.snapshotComponent(modules({ Unbuildable })).describe().handlers).toMatchObject([
      { name: 'Shop.Unbuildable', version: '1.0.0', capabilities: ['process'], methods: ['call'] },
    ]);
  });

  it('leaves out the methods a handler has from the SDK', () => {
    class Route extends fresh.DecisionHandler {
      static override handlerName = 'route';
      async call() {
        return this.skipBranches('closed');
      }
      async reroute() {
        return this.call();
      }
    }
    class Work extends fresh.BatchableStepHandler {
      static override handlerName = 'work';
      constructor() {
        super();
        fresh.applyDecision(this);
      }
      async call() {
        return this.noBatchesResult();
      }
    }
    class Either extends Ship {
      static override handlerName = 'either';
      constructor() {
        super();
        fresh.applyBatchable(this);
      }
    }
    const { handlers } = component.snapshotComponent(modules({ Route, Work, Either })).describe();
    expect(handlers.map(({ methods }) => methods)).toEqual([['call', 'reroute'], ['call'], ['call']]);
  });

  it('lists what templates name by path or leave to a resolver, each once', () => {
    const { handlers } = component
      .snapshotComponent({
        discover: [{ Ship }],
        table: { './charge.js': { default: Charge }, './ship.js': { Ship }, './nothing.js': { helper: () => 1 } },
        resolved: { 'price:1.19': ['call', 'net'], 'Shop.Ship': ['call', 'net'] },
      })
      .describe();
    expect(handlers).toMatchObject([
      { name: 'Shop.Ship', methods: ['call'] },
      { name: './charge.js', version: '2.0.0', capabilities: ['process', 'payments'], methods: ['call', 'refund'] },
      { name: './ship.js', methods: ['call'] },
      { name: 'price:1.19', version: '1.0.0', capabilities: ['process'], methods: ['call', 'net'] },
    ]);
  });

  it('calls no host import', () => {
    component.snapshotComponent(modules({ Charge })).describe();
    expect(hostLog.asked).toEqual([]);
    expect(hostLog.records).toEqual([]);
  });
});

describe("a package's handlers", () => {
  const names = (handlers: WitHandlerDescriptor[]) => handlers.map(({ name }) => name);
  const found = (...discover: PackageModules['discover']) =>
    names(component.snapshotComponent(modules(...discover)).describe().handlers);

  it('are the exports with a handlerName', () => {
    expect(found({ Charge, helper: () => 1, constant: 7 }, { default: Ship })).toEqual(['Shop.Charge', 'Shop.Ship']);
  });

  it('are the listed ones where a module lists them', () => {
    expect(found({ ALL_EXAMPLE_HANDLERS: [Ship], Charge })).toEqual(['Shop.Ship']);
  });

  it('may be registered by a function of the package', () => {
    const registerShopHandlers = (registry: sdk.HandlerRegistry) => registry.register('own', Ship);
    expect(found({ registerShopHandlers })).toEqual(['own']);
  });

  it('may be exported twice', () => {
    expect(found({ Charge }, { Charge, default: Charge })).toEqual(['Shop.Charge']);
  });

  it('may not share a name', () => {
    class Other extends Ship {
      static override handlerName = 'Shop.Charge';
    }
    expect(() => found({ Charge, Other })).toThrow(
      "Two handlers are named 'Shop.Charge': Charge and Other. Give each its own static handlerName.",
    );
  });
});

describe('a component initialised while it is built', () => {
  it('runs its handlers', async () => {
    const handlers = component.snapshotComponent(modules({ Charge }));
    expect((await successOf(handlers.handle(witContext('Shop.Charge')))).result).toMatchObject({ entry: 'call' });
  });

  it('constructs no handler before the call', async () => {
    const constructed = vi.fn();
    class Counting extends Ship {
      constructor() {
        super();
        constructed();
      }
    }
    const handlers = component.snapshotComponent(modules({ Counting }));
    expect(constructed).not.toHaveBeenCalled();
    await handlers.handle(witContext('Shop.Ship'));
    expect(constructed).toHaveBeenCalledOnce();
  });
});

describe('a component initialised in its first call', () => {
  const descriptors = [{ name: 'Shop.Ship', version: '1.0.0', capabilities: ['process'], methods: ['call'] }];

  it('loads its modules then, once', async () => {
    const load = vi.fn(async () => ({ modules: modules({ Ship }) }));
    const handlers = component.lazyComponent(descriptors, load);
    expect(load).not.toHaveBeenCalled();
    await successOf(handlers.handle(witContext('Shop.Ship')));
    await successOf(handlers.handle(witContext('Shop.Ship')));
    expect(load).toHaveBeenCalledOnce();
  });

  it('is described without loading them', () => {
    const load = vi.fn();
    expect(component.lazyComponent(descriptors, load).describe().handlers).toEqual(descriptors);
    expect(load).not.toHaveBeenCalled();
  });

  it('says why its modules failed to load', async () => {
    const handlers = component.lazyComponent(descriptors, async () => {
      throw new Error('no key');
    });
    expect(await dispatchErrorOf(() => handlers.handle(witContext('Shop.Ship')))).toEqual({
      tag: 'handler-init-failed',
      val: "the package's modules failed to load: no key",
    });
  });
});

describe('log records', () => {
  it('written while modules load wait for the first call, in order', async () => {
    fresh.logInfo('first', { n: 1 });
    fresh.logWarn('second', { n: 2, nothing: undefined });
    const handlers = component.snapshotComponent(modules({ Ship }));
    expect(hostLog.asked).toEqual([]);
    await handlers.handle(witContext('Shop.Ship'));
    expect(hostLog.records).toEqual([
      { level: 'info', message: 'first', fields: { n: 1 } },
      { level: 'warn', message: 'second', fields: { n: 2 } },
    ]);
    await handlers.handle(witContext('Shop.Ship'));
    expect(hostLog.records).toHaveLength(2);
  });

  it('written while modules load are kept up to a hundred, and the rest counted', async () => {
    for (let n = 0; n < 130; n += 1) {
      fresh.logInfo(`record ${n}`);
    }
    await component.snapshotComponent(modules({ Ship })).handle(witContext('Shop.Ship'));
    expect(hostLog.records).toHaveLength(101);
    expect(hostLog.records[99]?.message).toBe('record 99');
    expect(hostLog.records[100]).toMatchObject({ level: 'warn', message: expect.stringMatching(/^30 log records/) });
  });

  it('of a call go to the host at once, unless the host does not want their level', async () => {
    class Chatty extends fresh.StepHandler {
      static override handlerName = 'chatty';
      async call(): Promise<sdk.StepHandlerResult> {
        fresh.logDebug('debug');
        fresh.logDebug('debug again');
        fresh.logError('error', { code: 7 });
        const log = fresh.createLogger({ component: 'chatty' });
        log.info('info', { ok: true });
        return this.success({});
      }
    }
    await component.snapshotComponent(modules({ Chatty })).handle(witContext('chatty'));
    expect(hostLog.records).toEqual([
      { level: 'error', message: 'error', fields: { code: 7 } },
      { level: 'info', message: 'info', fields: { component: 'chatty', ok: true } },
    ]);
    // The host is asked once a level.
    expect(hostLog.asked.filter((level) => level === 'debug')).toHaveLength(1);
  });
});

it('warming up leaves nothing behind', async () => {
  await component.prewarm();
  expect(component.snapshotComponent(modules({ Ship })).describe().handlers).toHaveLength(1);
});
