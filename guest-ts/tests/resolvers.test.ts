import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type BaseResolver,
  ClassLookupResolver,
  type ExecutableHandler,
  ExplicitMappingResolver,
  fromCallable,
  type HandlerDefinition,
  MethodDispatchError,
  MethodDispatchWrapper,
  NoResolverMatchError,
  RegistryResolver,
  ResolutionError,
  ResolverChain,
  ResolverNotFoundError,
  StepContext,
} from '../src/index.js';
import { setModuleTable } from '../src/registry/class-lookup.js';
import { Charge, Ship, Unbuildable } from './handlers.js';
import { flatEvent } from './support.js';

const context = StepContext.fromFfiEvent(flatEvent(), 'x');

beforeEach(() => {
  ResolverChain.resetDefault();
  for (const level of ['warn', 'error', 'log'] as const) {
    vi.spyOn(console, level).mockImplementation(() => {});
  }
});

/** Knows every callable, and answers with what it was given. */
function always(name: string, priority: number, answer: ExecutableHandler | null): BaseResolver {
  return { name, priority, canResolve: () => true, resolve: async () => answer };
}

describe('a chain', () => {
  it('starts with explicit mappings and ends with class lookup by default', async () => {
    const chain = await ResolverChain.default();
    expect(chain.listResolvers()).toEqual([
      ['explicit_mapping', 10],
      ['class_lookup', 100],
    ]);
    expect(await ResolverChain.default()).toBe(chain);
  });

  it('is made anew after a reset', async () => {
    const chain = await ResolverChain.default();
    ResolverChain.resetDefault();
    expect(await ResolverChain.default()).not.toBe(chain);
  });

  it('may be empty, and then knows nothing', async () => {
    const chain = ResolverChain.withResolvers([]);
    expect(chain.listResolvers()).toEqual([]);
    expect(await chain.resolve(fromCallable('x'))).toBeNull();
  });

  it('asks in ascending priority, whatever order the resolvers came in', async () => {
    const charge = new Charge();
    const chain = ResolverChain.withResolvers([always('late', 90, new Ship()), always('early', 5, charge)]);
    expect(chain.listResolvers()).toEqual([
      ['early', 5],
      ['late', 90],
    ]);
    expect(await chain.resolve(fromCallable('x'))).toBe(charge);
  });

  it('passes on to the next resolver what one cannot resolve', async () => {
    const ship = new Ship();
    const chain = ResolverChain.withResolvers([always('none', 5, null), always('some', 6, ship)]);
    expect(await chain.resolve(fromCallable('x'))).toBe(ship);
    expect(await chain.locate(fromCallable('x'))).toBe(ship);
  });

  it('asks only the resolver that is named', async () => {
    const chain = ResolverChain.withResolvers([always('first', 1, new Charge()), always('second', 2, null)]);
    expect(await chain.resolve({ callable: 'x', resolver: 'second' })).toBeNull();
    expect(await chain.resolve({ callable: 'x', resolver: 'first' })).toBeInstanceOf(Charge);
  });

  it('fails when the named resolver is not in it', async () => {
    await expect(ResolverChain.withResolvers([]).resolve({ callable: 'x', resolver: 'nobody' })).rejects.toThrow(
      ResolverNotFoundError,
    );
  });

  it('finds its resolvers by name', () => {
    const resolver = always('own', 5, null);
    const chain = ResolverChain.withResolvers([resolver]);
    expect(chain.getResolver('own')).toBe(resolver);
    expect(chain.getResolver('other')).toBeUndefined();
  });

  it('warns and gives the handler itself when it lacks the method', async () => {
    const charge = new Charge();
    const chain = ResolverChain.withResolvers([always('own', 5, charge)]);
    expect(await chain.resolve({ callable: 'x', method: 'whisper' })).toBe(charge);
    expect(console.log).toHaveBeenCalledWith(expect.stringMatching(/WARN: Handler does not have requested method/));
  });

  it('never takes what every handler inherits for a method', async () => {
    const charge = new Charge();
    const chain = ResolverChain.withResolvers([always('own', 5, charge)]);
    for (const method of ['constructor', 'toString', 'configSchema', 'success', 'hasOwnProperty']) {
      expect(await chain.resolve({ callable: 'x', method })).toBe(charge);
    }
  });
});

describe('explicit mappings', () => {
  it('construct a class for each resolve', async () => {
    const resolver = new ExplicitMappingResolver();
    resolver.register('Shop.Charge', Charge);
    const first = await resolver.resolve(fromCallable('Shop.Charge'));
    expect(first).toBeInstanceOf(Charge);
    expect(await resolver.resolve(fromCallable('Shop.Charge'))).not.toBe(first);
  });

  it('call a factory with the configuration', async () => {
    const resolver = new ExplicitMappingResolver();
    const factory = vi.fn(() => new Ship());
    resolver.register('made', factory);
    expect(await resolver.resolve(fromCallable('made'), { zone: 'eu' })).toBeInstanceOf(Ship);
    expect(factory).toHaveBeenCalledWith({ zone: 'eu' });
  });

  it('share an instance', async () => {
    const resolver = new ExplicitMappingResolver();
    const ship = new Ship();
    resolver.register('shared', ship);
    expect(await resolver.resolve(fromCallable('shared'))).toBe(ship);
    expect(await resolver.resolve(fromCallable('shared'))).toBe(ship);
  });

  it('give null for a factory that throws, with the error in the console', async () => {
    const resolver = new ExplicitMappingResolver();
    resolver.register('made', () => {
      throw new Error('no parts');
    });
    expect(await resolver.resolve(fromCallable('made'))).toBeNull();
    expect(console.error).toHaveBeenCalledWith(
      expect.stringContaining('Factory failed'),
      expect.objectContaining({ message: 'no parts' }),
    );
  });

  it('give null for a class that cannot be constructed, with the error in the console', async () => {
    const resolver = new ExplicitMappingResolver();
    resolver.register('x', Unbuildable);
    expect(await resolver.resolve(fromCallable('x'))).toBeNull();
    expect(console.error).toHaveBeenCalledWith(
      expect.stringContaining('Failed to instantiate Unbuildable'),
      expect.objectContaining({ message: 'no handler today' }),
    );
  });

  it('know what was registered and forget what was unregistered', async () => {
    const resolver = new ExplicitMappingResolver('own');
    expect(resolver.name).toBe('own');
    resolver.register('a', Charge);
    resolver.register('b', Ship);
    expect(resolver.registeredCallables()).toEqual(['a', 'b']);
    expect(resolver.canResolve(fromCallable('a'))).toBe(true);
    expect(resolver.unregister('a')).toBe(true);
    expect(resolver.unregister('a')).toBe(false);
    expect(resolver.canResolve(fromCallable('a'))).toBe(false);
    expect(await resolver.resolve(fromCallable('a'))).toBeNull();
  });
});

describe('class lookup', () => {
  const resolver = new ClassLookupResolver();

  afterEach(() => setModuleTable({}));

  it.each([
    ['./handlers/charge', true],
    ['../charge.js', true],
    ['@shop/payments', true],
    ['/etc/handlers/charge', false],
    ['Shop.Charge', false],
    ['shop', false],
    ['', false],
  ])('takes %j for a module path: %s', (callable, expected) => {
    expect(resolver.canResolve(fromCallable(callable))).toBe(expected);
  });

  it('constructs the default export of the module', async () => {
    setModuleTable({ './charge': { Ship, default: Charge } });
    expect(await resolver.resolve(fromCallable('./charge'))).toBeInstanceOf(Charge);
  });

  it('constructs the first export with a handlerName where the default is no handler', async () => {
    setModuleTable({ './charge': { default: { a: 1 }, helper: () => 1, Ship } });
    expect(await resolver.resolve(fromCallable('./charge'))).toBeInstanceOf(Ship);
  });

  it.each([
    ['a module the component does not carry', {}],
    ['a module without a handler', { './charge': { a: 1 } }],
    ['a handler that cannot be constructed', { './charge': { Unbuildable } }],
  ])('gives null for %s', async (_what, table) => {
    setModuleTable(table);
    expect(await resolver.resolve(fromCallable('./charge'))).toBeNull();
  });

  it('never takes what every object inherits for a module', async () => {
    setModuleTable({});
    expect(await resolver.resolve(fromCallable('./../constructor'))).toBeNull();
  });

  it('refuses absolute paths even when a table has them', async () => {
    setModuleTable({ '/charge': { Charge } });
    expect(await resolver.resolve(fromCallable('/charge'))).toBeNull();
  });
});

describe("a resolver of one's own", () => {
  class Payments extends RegistryResolver {
    static override readonly _name = 'payments';
    static override readonly _priority = 30;
    static override readonly pattern = /^payments:(?<kind>\w+)$/g;
    matches: Array<RegExpMatchArray | null> = [];

    async resolveHandler(_definition: HandlerDefinition, match: RegExpMatchArray | null): Promise<ExecutableHandler> {
      this.matches.push(match);
      return new Charge();
    }
  }

  class Prefixed extends RegistryResolver {
    static override readonly prefix = 'ship:';

    async resolveHandler(): Promise<ExecutableHandler> {
      return new Ship();
    }
  }

  it('has the name and priority its class declares', () => {
    expect([new Payments().name, new Payments().priority]).toEqual(['payments', 30]);
    expect([new Prefixed().name, new Prefixed().priority]).toEqual(['custom_resolver', 50]);
  });

  it('resolves what its pattern matches, however often it is asked', async () => {
    const resolver = new Payments();
    for (let asked = 0; asked < 3; asked += 1) {
      expect(resolver.canResolve(fromCallable('payments:card'))).toBe(true);
    }
    expect(resolver.canResolve(fromCallable('shipping:card'))).toBe(false);
    expect(await resolver.resolve(fromCallable('payments:card'))).toBeInstanceOf(Charge);
    expect(resolver.matches[0]?.[0]).toBe('payments:card');
  });

  it('resolves what starts with its prefix', () => {
    expect(new Prefixed().canResolve(fromCallable('ship:now'))).toBe(true);
    expect(new Prefixed().canResolve(fromCallable('now ship:'))).toBe(false);
  });

  it('takes its place in a chain', async () => {
    const chain = ResolverChain.withResolvers([
      new ClassLookupResolver(),
      new ExplicitMappingResolver(),
      new Payments(),
    ]);
    expect(chain.listResolvers().map(([name]) => name)).toEqual(['explicit_mapping', 'payments', 'class_lookup']);
    expect(await chain.resolve(fromCallable('payments:card'))).toBeInstanceOf(Charge);
  });
});

describe('method dispatch', () => {
  it("runs the method on the handler itself, private fields and all, in call's place", async () => {
    const handler = new Charge();
    const wrapper = new MethodDispatchWrapper(handler, 'refund');
    expect((await wrapper.call(context)).result).toEqual({ entry: 'refund', currency: 'EUR' });
    expect(wrapper.unwrap()).toBe(handler);
  });

  it('shows the handler it wraps', () => {
    const wrapper = new MethodDispatchWrapper(new Charge(), 'refund');
    expect(wrapper).toMatchObject({ name: 'Shop.Charge', version: '2.0.0', capabilities: ['process', 'payments'] });
    expect(wrapper.configSchema()).toEqual({ type: 'object' });
    expect(String(wrapper)).toBe('MethodDispatchWrapper(handler=Shop.Charge, method=refund)');
  });

  it('refuses a method the handler lacks', () => {
    expect(() => new MethodDispatchWrapper(new Charge(), 'whisper')).toThrow(MethodDispatchError);
  });
});

describe('errors of resolution', () => {
  it('name the resolver', () => {
    const error = new ResolverNotFoundError('payments');
    expect(error).toBeInstanceOf(ResolutionError);
    expect(error).toMatchObject({ message: "Resolver not found: 'payments'", resolverName: 'payments' });
  });

  it('name the callable and who was asked', () => {
    const error = new NoResolverMatchError('Shop.Charge', ['a', 'b']);
    expect(error).toBeInstanceOf(ResolutionError);
    expect(error).toMatchObject({
      message: "No resolver could resolve callable 'Shop.Charge'. Tried: a, b",
      callable: 'Shop.Charge',
      triedResolvers: ['a', 'b'],
    });
    expect(new NoResolverMatchError('x', []).message).toBe("No resolver could resolve callable 'x'. Tried: none");
  });

  it('name the handler and the method', () => {
    const error = new MethodDispatchError('Shop.Charge', 'whisper');
    expect(error).toBeInstanceOf(ResolutionError);
    expect(error).toMatchObject({
      message: "Handler 'Shop.Charge' does not have method 'whisper'",
      handlerName: 'Shop.Charge',
      methodName: 'whisper',
    });
  });
});
