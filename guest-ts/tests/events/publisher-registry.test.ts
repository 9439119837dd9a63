import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BasePublisher,
  DefaultPublisher,
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherRegistry,
  PublisherValidationError,
  RegistryFrozenError,
} from '../../src/index.js';

class Payments extends BasePublisher {
  readonly publisherName = 'Payments';
}

class Documented extends BasePublisher {
  static publisherName = 'documented';
  publishesFor(): string[] {
    return ['pay', 'refund'];
  }
}

const registry = PublisherRegistry.getInstance();

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
});
afterEach(() => registry.reset());

describe('the publisher registry', () => {
  it('has one instance', () => {
    expect(PublisherRegistry.instance).toBe(registry);
  });

  it('takes instances and classes, and finds them by the name of either form', () => {
    const payments = new Payments();
    registry.register(payments);
    registry.register(Documented);
    expect(registry.get('Payments')).toBe(payments);
    expect(registry.get('documented')).toBeInstanceOf(Documented);
    expect(registry.getForStep('refund')).toBe(registry.get('documented'));
    expect(registry.getForStep('ship')).toBeUndefined();
    expect([registry.registeredNames, registry.count, registry.isEmpty]).toEqual([
      ['Payments', 'documented'],
      2,
      false,
    ]);
  });

  it('refuses a publisher without a name, and a second of one name', () => {
    class Nameless extends BasePublisher {}
    expect(() => registry.register(Nameless)).toThrow('Nameless has no publisherName');
    registry.register(Payments);
    expect(() => registry.register(new Payments())).toThrow(DuplicatePublisherError);
  });

  it('always has the default', () => {
    expect(registry.isRegistered('default')).toBe(true);
    expect(registry.getStrict('default')).toBeInstanceOf(DefaultPublisher);
    expect([registry.getOrDefault(), registry.getOrDefault('')]).toEqual([
      registry.getStrict('default'),
      registry.getStrict('default'),
    ]);
    expect([registry.isEmpty, registry.isRegistered('Payments'), registry.get('Payments')]).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  it('falls back on the default with a warning, or says what there is', () => {
    registry.register(Payments);
    expect(registry.getOrDefault('Refunds')).toBeInstanceOf(DefaultPublisher);
    expect(console.log).toHaveBeenCalledWith(expect.stringMatching(/WARN: Publisher not found.*Refunds/));
    expect(() => registry.getStrict('Refunds')).toThrow(new PublisherNotFoundError('Refunds', ['Payments']));
  });

  it('freezes when it is found complete, and says what is missing when it is not', () => {
    registry.register(Payments);
    expect(() => registry.validateRequired(['default', 'Payments', 'A', 'B'])).toThrow(
      new PublisherValidationError(['A', 'B'], ['Payments']),
    );
    expect(registry.isFrozen).toBe(false);
    registry.validateRequired(['default', 'Payments']);
    expect(registry.isFrozen).toBe(true);
    for (const change of [
      () => registry.register(Documented),
      () => registry.unregister('Payments'),
      () => registry.clear(),
    ]) {
      expect(change).toThrow(RegistryFrozenError);
    }
    registry.reset();
    expect([registry.isFrozen, registry.isEmpty]).toEqual([false, true]);
  });

  it('lets publishers go until it is frozen', () => {
    registry.register(Payments);
    expect([registry.unregister('Payments'), registry.unregister('Payments')]).toEqual([true, false]);
    registry.register(Payments);
    registry.clear();
    expect(registry.isEmpty).toBe(true);
    registry.freeze();
    expect(() => registry.register(Payments)).toThrow(RegistryFrozenError);
  });
});
