/** Formatting in American English, beside what Node's `Intl` says. */

import { describe, expect, it } from 'vitest';
import { Collator, type CollatorOptions } from '../../src/platform/intl/collator.js';
import { DateTimeFormat, type DateTimeFormatOptions } from '../../src/platform/intl/date-time-format.js';
import { NumberFormat, type NumberFormatOptions } from '../../src/platform/intl/number-format.js';
import { ListFormat, PluralRules, RelativeTimeFormat } from '../../src/platform/intl/rules.js';

const NUMBERS = [
  0, -0, 1, -1, 0.5, 1.005, 2.5, 999.995, 1234.5678, -98765.4321, 1e6, 123456789, 1e21, 0.00001234, 99.95,
];

const NUMBER_OPTIONS: NumberFormatOptions[] = [
  {},
  { maximumFractionDigits: 0 },
  { maximumFractionDigits: 2 },
  { minimumFractionDigits: 2, maximumFractionDigits: 2 },
  { minimumFractionDigits: 4 },
  { minimumIntegerDigits: 3 },
  { useGrouping: false },
  { useGrouping: 'min2' },
  { style: 'percent' },
  { style: 'percent', maximumFractionDigits: 1 },
  { style: 'currency', currency: 'USD' },
  { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 },
  { style: 'currency', currency: 'JPY' },
  { style: 'currency', currency: 'CHF' },
  { style: 'currency', currency: 'KWD' },
  { style: 'currency', currency: 'USD', currencyDisplay: 'code' },
  { style: 'currency', currency: 'CAD', currencyDisplay: 'narrowSymbol' },
  { style: 'currency', currency: 'USD', currencySign: 'accounting' },
  { maximumSignificantDigits: 3 },
  { minimumSignificantDigits: 5 },
  { notation: 'compact' },
  { notation: 'compact', maximumFractionDigits: 1 },
  { notation: 'compact', compactDisplay: 'long' },
  { signDisplay: 'always' },
  { signDisplay: 'never' },
  { signDisplay: 'exceptZero' },
];

describe('numbers', () => {
  it.each(NUMBER_OPTIONS)('with %j are as Node writes them', (options) => {
    const [ours, node] = [new NumberFormat('en-US', options), new Intl.NumberFormat('en-US', options as object)];
    expect(NUMBERS.map(ours.format)).toEqual(NUMBERS.map((number) => node.format(number)));
    expect(ours.format(Number.NaN) + ours.format(Infinity)).toBe(node.format(Number.NaN) + node.format(Infinity));
    expect(ours.format(12345678901234567890n)).toBe(node.format(12345678901234567890n));
  });

  it('that are parts name them as Node does', () => {
    const options = { style: 'currency', currency: 'USD' } as const;
    expect(new NumberFormat('en-US', options).formatToParts(-1234.5)).toEqual(
      new Intl.NumberFormat('en-US', options).formatToParts(-1234.5),
    );
  });

  it('refuse what there is no data for, saying so', () => {
    expect(() => new NumberFormat('en-US', { style: 'unit' })).toThrow("has no style 'unit'");
    expect(() => new NumberFormat('en-US', { style: 'currency' })).toThrow(TypeError);
    expect(() => new NumberFormat('en-US', { maximumFractionDigits: -1 })).toThrow(RangeError);
  });
});

const DATES = [
  0,
  Date.UTC(2024, 0, 2, 15, 4, 5, 678),
  Date.UTC(2026, 8, 30, 0, 9, 0),
  Date.UTC(1999, 11, 31, 12, 59, 59),
];

const DATE_OPTIONS: DateTimeFormatOptions[] = [
  {},
  { year: 'numeric', month: 'long', day: 'numeric' },
  { year: 'numeric', month: 'short', day: 'numeric' },
  { year: 'numeric', month: '2-digit', day: '2-digit' },
  { year: '2-digit', month: 'numeric', day: 'numeric' },
  { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' },
  { weekday: 'short', month: 'short', day: 'numeric' },
  { weekday: 'short', year: 'numeric', month: 'numeric', day: 'numeric' },
  { month: 'long', year: 'numeric' },
  { month: 'numeric', year: 'numeric' },
  { month: 'short', day: '2-digit' },
  { month: 'long' },
  { weekday: 'long' },
  { year: 'numeric' },
  { day: 'numeric' },
  { hour: 'numeric' },
  { hour: '2-digit', minute: '2-digit' },
  { hour: 'numeric', minute: '2-digit', second: '2-digit' },
  { hour: '2-digit', minute: '2-digit', hour12: false },
  { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  { minute: '2-digit', second: '2-digit' },
  { hour: 'numeric', minute: 'numeric', second: 'numeric', fractionalSecondDigits: 3 },
  { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' },
  { year: 'numeric', month: 'long', day: 'numeric', hour: 'numeric', minute: '2-digit' },
  { year: 'numeric', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' },
  { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: '2-digit' },
  { dateStyle: 'full' },
  { dateStyle: 'long', timeStyle: 'short' },
  { dateStyle: 'medium', timeStyle: 'medium' },
  { dateStyle: 'short', timeStyle: 'short' },
  { dateStyle: 'full', timeStyle: 'full' },
  { timeStyle: 'long' },
];

describe('dates', () => {
  it.each(DATE_OPTIONS)('with %j are as Node writes them', (options) => {
    const zoned = { timeZone: 'UTC', ...options };
    const [ours, node] = [new DateTimeFormat('en-US', zoned), new Intl.DateTimeFormat('en-US', zoned as object)];
    expect(DATES.map((date) => ours.format(date))).toEqual(DATES.map((date) => node.format(date)));
  });

  it.each([
    ['toLocaleString', { required: 'any', defaults: 'all' }],
    ['toLocaleDateString', { required: 'date', defaults: 'date' }],
    ['toLocaleTimeString', { required: 'time', defaults: 'time' }],
  ] as const)('by %s are as Node writes them', (method, completion) => {
    for (const options of [{}, { hour: 'numeric' }, { month: 'long' }, { dateStyle: 'short' }] as const) {
      if (method === 'toLocaleTimeString' && 'dateStyle' in options) {
        continue;
      }
      const zoned = { timeZone: 'UTC', ...options };
      const date = new Date(DATES[1] as number);
      expect(new DateTimeFormat('en-US', zoned, completion).format(date)).toBe(date[method]('en-US', zoned));
    }
  });

  it('are at an offset where one is asked for', () => {
    const format = new DateTimeFormat('en-US', { timeZone: '+05:30', timeStyle: 'short', dateStyle: 'short' });
    expect(format.format(Date.UTC(2024, 0, 1, 20, 0))).toBe('1/2/24, 1:30 AM');
    expect(format.resolvedOptions()).toMatchObject({ locale: 'en-US', timeZone: '+05:30' });
  });

  it('refuse a zone there is no data for, naming what there is', () => {
    expect(() => new DateTimeFormat('en-US', { timeZone: 'Europe/Berlin' })).toThrow("offsets, such as '+02:00'");
  });
});

const WORDS =
  'apple Apple äpfel Äpfel zebra Zebra éclair eclair résumé resume 10 9 2 a1 a10 a2 _x -x x! x? (y) straße strasse'.split(
    ' ',
  );

describe('words', () => {
  it.each<CollatorOptions>([
    {},
    { numeric: true },
    { sensitivity: 'base' },
    { sensitivity: 'accent' },
    { caseFirst: 'upper' },
  ])('with %j are ordered as Node orders them', (options) => {
    const [ours, node] = [new Collator('en-US', options), new Intl.Collator('en-US', options as object)];
    for (const a of WORDS) {
      for (const b of WORDS) {
        expect([a, b, ours.compare(a, b)]).toEqual([a, b, node.compare(a, b)]);
      }
    }
  });

  it('in lists, plurals and spans of time are as Node has them', () => {
    for (const type of ['conjunction', 'disjunction'] as const) {
      for (const style of ['long', 'short', 'narrow'] as const) {
        const [ours, node] = [new ListFormat('en', { type, style }), new Intl.ListFormat('en', { type, style })];
        for (const list of [[], ['a'], ['a', 'b'], ['a', 'b', 'c']]) {
          expect(ours.format(list)).toBe(node.format(list));
        }
      }
    }
    for (const type of ['cardinal', 'ordinal'] as const) {
      const [ours, node] = [new PluralRules('en', { type }), new Intl.PluralRules('en', { type })];
      const counts = [0, 1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111];
      expect(counts.map((count) => ours.select(count))).toEqual(counts.map((count) => node.select(count)));
    }
    for (const numeric of ['always', 'auto'] as const) {
      const [ours, node] = [new RelativeTimeFormat('en', { numeric }), new Intl.RelativeTimeFormat('en', { numeric })];
      for (const unit of ['second', 'hours', 'day', 'week', 'month', 'year'] as const) {
        for (const value of [-2, -1, 0, 1, 1500]) {
          expect(ours.format(value, unit)).toBe(node.format(value, unit));
        }
      }
    }
  });
});
