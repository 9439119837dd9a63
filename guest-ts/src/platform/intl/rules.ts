/** The small parts of `Intl`, in English: plurals, lists and spans of time. */

import { joined, type Locales, type Part, resolveLocale, supportedLocalesOf } from './locale.js';
import { NumberFormat, type NumberFormatOptions } from './number-format.js';

export class PluralRules {
  readonly #ordinal: boolean;
  readonly #format: NumberFormat;

  constructor(locales?: Locales, options: NumberFormatOptions & { type?: 'cardinal' | 'ordinal' } = {}) {
    resolveLocale(locales);
    this.#ordinal = options.type === 'ordinal';
    this.#format = new NumberFormat(locales, { ...options, useGrouping: false });
  }

  static supportedLocalesOf = supportedLocalesOf;

  select(value: number): string {
    const shown = this.#format.format(value);
    if (!this.#ordinal) {
      return shown === '1' || shown === '-1' ? 'one' : 'other';
    }
    const [ones, tens] = [Math.abs(value) % 10, Math.abs(value) % 100];
    const suffix = ({ 1: 'one', 2: 'two', 3: 'few' } as Record<number, string>)[ones] ?? 'other';
    return tens > 10 && tens < 14 ? 'other' : suffix;
  }

  resolvedOptions(): Record<string, unknown> {
    return { ...this.#format.resolvedOptions(), type: this.#ordinal ? 'ordinal' : 'cardinal' };
  }
}

export interface ListFormatOptions {
  type?: 'conjunction' | 'disjunction' | 'unit';
  style?: 'long' | 'short' | 'narrow';
}

export class ListFormat {
  readonly #options: Required<ListFormatOptions>;

  constructor(locales?: Locales, { type = 'conjunction', style = 'long' }: ListFormatOptions = {}) {
    resolveLocale(locales);
    this.#options = { type, style };
  }

  static supportedLocalesOf = supportedLocalesOf;

  format(list: Iterable<string>): string {
    return joined(this.formatToParts(list));
  }

  formatToParts(list: Iterable<string>): Part[] {
    const elements = [...list];
    const { type, style } = this.#options;
    const word = {
      conjunction: style === 'long' ? 'and ' : style === 'short' ? '& ' : '',
      disjunction: 'or ',
      unit: '',
    }[type];
    const comma = type === 'unit' && style === 'narrow' ? ' ' : ', ';
    return elements.flatMap((value, index) => {
      const isLast = index === elements.length - 1;
      const isPair = elements.length === 2 && word !== '';
      const separator = isLast ? `${isPair ? ' ' : comma}${word}` : comma;
      return [...(index > 0 ? [{ type: 'literal', value: separator }] : []), { type: 'element', value }];
    });
  }
}

type Unit = 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year';

/** What is said of the span before, this one and the next, where it has a name. */
const NAMED: Partial<Record<Unit, readonly [last: string, current: string, next: string]>> = {
  second: ['', 'now', ''],
  minute: ['', 'this minute', ''],
  hour: ['', 'this hour', ''],
  day: ['yesterday', 'today', 'tomorrow'],
};
const UNITS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];

export class RelativeTimeFormat {
  readonly #isNamed: boolean;
  readonly #format: NumberFormat;

  constructor(locales?: Locales, { numeric = 'always' }: { numeric?: 'always' | 'auto' } = {}) {
    this.#isNamed = numeric === 'auto';
    this.#format = new NumberFormat(locales);
  }

  static supportedLocalesOf = supportedLocalesOf;

  format(value: number, unit: string): string {
    const name = unit.replace(/s$/, '') as Unit;
    if (!UNITS.includes(name)) {
      throw new RangeError(`Invalid unit argument for format() '${unit}'`);
    }
    const known = this.#isNamed && [-1, 0, 1].includes(value) ? named(name, value) : '';
    if (known !== '') {
      return known;
    }
    const shown = this.#format.format(Math.abs(value));
    const span = `${shown} ${name}${shown === '1' ? '' : 's'}`;
    return value < 0 || Object.is(value, -0) ? `${span} ago` : `in ${span}`;
  }
}

function named(unit: Unit, value: number): string {
  const [last, current, next] = NAMED[unit] ?? [`last ${unit}`, `this ${unit}`, `next ${unit}`];
  return [last, current, next][value + 1] as string;
}
