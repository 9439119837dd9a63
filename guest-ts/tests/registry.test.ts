import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ExplicitMappingResolver,
  HandlerRegistry,
  MethodDispatchWrapper,
  ResolverChain,
  ResolverNotFoundError,
  StepContext,
  type StepHandlerClass,
} from '../src/index.js';
import { Charge, Ship, Unbuildable } from './handlers.js';
import { flatEvent } from './support.js';

const context = StepContext.fromFfiEvent(flatEvent(), 'x');
let registry: HandlerRegistry;

beforeEach(() => {
  ResolverChain.resetDefault();
  registry = new HandlerRegistry();
  for (const level of ['info', 'warn', 'error', 'log'] as const) {
    vi.spyOn(console, level).mockImplementation(() => {});
  }
});

describe('registering', () => {
  it('makes a handler known by its name and says so', () => {
    registry.register('Shop.Charge', Charge);
    expect(registry.isRegistered('Shop.Charge')).toBe(true);
    expect(registry.listHandlers()).toEqual(['Shop.Charge']);
    expect(registry.handlerCount()).toBe(1);
    expect(console.info).toHaveBeenCalledWith(expect.stringContaining('Shop.Charge'));
  });

  it('again replaces what was there', async () => {
    registry.register('x', Charge);
    registry.register('x', Ship);
    expect(registry.handlerCount()).toBe(1);
    expect(await registry.resolve('x')).toBeInstanceOf(Ship);
  });

  it.each([[''], [null], [7]])('refuses the name %j', (name) => {
    expect(() => registry.register(name as string, Charge)).toThrow('Handler name must be a non-empty string');
  });

  it.each([
    [{}, 'object'],
    ['Charge', 'string'],
    [undefined, 'undefined'],
  ])('refuses %j for a class', (value, type) => {
    expect(() => registry.register('x', value as unknown as StepHandlerClass)).toThrow(
      `handlerClass must be a StepHandler subclass, got ${type}`,
    );
  });

  it('is undone by name, or altogether', () => {
    registry.register('a', Charge);
    registry.register('b', Ship);
    expect(registry.unregister('a')).toBe(true);
    expect(registry.unregister('a')).toBe(false);
    expect(registry.isRegistered('a')).toBe(false);
    registry.clear();
    expect(registry.handlerCount()).toBe(0);
  });
});

describe('resolving', () => {
  it('constructs the handler anew each time', async () => {
    registry.register('Shop.Charge', Charge);
    const first = await registry.resolve('Shop.Charge');
    expect(first).toBeInstanceOf(Charge);
    expect(await registry.resolve('Shop.Charge')).not.toBe(first);
  });

  it('warns and gives null when nobody knows the callable', async () => {
    expect(await registry.resolve('Shop.Nothing')).toBeNull();
    expect(console.warn).toHaveBeenCalledWith(expect.stringContaining('Handler not found: Shop.Nothing'));
  });

  it('gives null when the constructor throws, with the error in the console', async () => {
    registry.register('Shop.Unbuildable', Unbuildable);
    expect(await registry.resolve('Shop.Unbuildable')).toBeNull();
    expect(console.error).toHaveBeenCalledWith(
      expect.stringContaining('Failed to instantiate'),
      expect.objectContaining({ message: 'no handler today' }),
    );
  });

  it('makes the named method the call', async () => {
    registry.register('Shop.Charge', Charge);
    const handler = await registry.resolve({ callable: 'Shop.Charge', method: 'refund' });
    expect(handler).toBeInstanceOf(MethodDispatchWrapper);
    expect((await handler?.call(context))?.result).toEqual({ entry: 'refund', currency: 'EUR' });
  });

  it('fails when an unknown resolver is named', async () => {
    await expect(registry.resolve({ callable: 'x', resolver: 'nobody' })).rejects.toThrow(ResolverNotFoundError);
  });
});

describe('resolving without a promise', () => {
  it('gives the handler, with its method', async () => {
    registry.register('Shop.Charge', Charge);
    expect(registry.resolveSync('Shop.Charge')).toBeInstanceOf(Charge);
    const handler = registry.resolveSync({ callable: 'Shop.Charge', method: 'refund' });
    expect((await handler?.call(context))?.result).toMatchObject({ entry: 'refund' });
  });

  it('warns and gives null when nobody knows the callable', () => {
    expect(registry.resolveSync('Shop.Nothing')).toBeNull();
    expect(console.warn).toHaveBeenCalledWith(expect.stringContaining('Handler not found: Shop.Nothing'));
  });

  it('gives null when the constructor throws', () => {
    registry.register('Shop.Unbuildable', Unbuildable);
    expect(registry.resolveSync('Shop.Unbuildable')).toBeNull();
    expect(console.error).toHaveBeenCalledWith(
      expect.stringContaining('Failed to instantiate'),
      expect.objectContaining({ message: 'no handler today' }),
    );
  });
});

describe('registries', () => {
  it('share their handlers through the default chain', () => {
    registry.register('Shop.Charge', Charge);
    expect(new HandlerRegistry().isRegistered('Shop.Charge')).toBe(true);
    expect(HandlerRegistry.instance().isRegistered('Shop.Charge')).toBe(true);
  });

  it('have one instance by which a component dispatches', () => {
    expect(HandlerRegistry.instance()).toBe(HandlerRegistry.instance());
  });

  it('show and extend their resolvers', async () => {
    expect(await registry.listResolvers()).toEqual([
      ['explicit_mapping', 10],
      ['class_lookup', 100],
    ]);
    const own = new ExplicitMappingResolver('own');
    await registry.addResolver(own);
    expect(await registry.getResolver('own')).toBe(own);
    expect(await registry.getResolver('nobody')).toBeUndefined();
    expect(await registry.getResolverChain()).toBe(await ResolverChain.default());
  });

  it('describe themselves', async () => {
    registry.register('Shop.Charge', Charge);
    expect(registry.debugInfo()).toEqual({
      initialized: false,
      handlerCount: 1,
      handlers: { 'Shop.Charge': 'Charge' },
    });
    await registry.initialize();
    expect(registry.debugInfo().initialized).toBe(true);
  });

  it('no longer give out classes, and say so', () => {
    registry.register('Shop.Charge', Charge);
    expect(registry.getHandlerClass('Shop.Charge')).toBeUndefined();
    expect(console.warn).toHaveBeenCalledWith(expect.stringContaining('deprecated'));
  });
});
