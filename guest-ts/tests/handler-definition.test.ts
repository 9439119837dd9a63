import { expect, it } from 'vitest';
import {
  effectiveMethod,
  fromCallable,
  fromDto,
  hasResolverHint,
  normalizeToDefinition,
  usesMethodDispatch,
} from '../src/index.js';

it('a callable alone becomes a definition without method, resolver and configuration', () => {
  expect(fromCallable('Shop.Charge')).toEqual({
    callable: 'Shop.Charge',
    method: null,
    resolver: null,
    initialization: {},
  });
  expect(normalizeToDefinition('Shop.Charge')).toEqual(fromCallable('Shop.Charge'));
});

it('what a template says becomes a definition', () => {
  const dto = { callable: 'Shop.Charge', method: 'refund', resolver: 'payments', initialization: { a: 1 } };
  expect(fromDto(dto)).toEqual(dto);
  expect(normalizeToDefinition(dto)).toEqual(dto);
});

it('a template that says nothing names the empty callable', () => {
  for (const nothing of [null, undefined]) {
    expect(fromDto(nothing)).toEqual({ callable: '', method: null, resolver: null, initialization: {} });
  }
});

it.each([
  [undefined, 'call'],
  [null, 'call'],
  ['', 'call'],
  ['call', 'call'],
  ['refund', 'refund'],
])('the method %j means %s', (method, effective) => {
  const definition = { ...fromCallable('x'), ...(method === undefined ? {} : { method }) };
  expect(effectiveMethod(definition)).toBe(effective);
  expect(usesMethodDispatch(definition)).toBe(effective !== 'call');
});

it('a resolver is hinted at by a name, not by an empty one', () => {
  expect(hasResolverHint({ callable: 'x', resolver: 'payments' })).toBe(true);
  expect(hasResolverHint({ callable: 'x', resolver: '' })).toBe(false);
  expect(hasResolverHint({ callable: 'x', resolver: null })).toBe(false);
  expect(hasResolverHint({ callable: 'x' })).toBe(false);
});
