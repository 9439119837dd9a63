/**
 * `Intl.Collator`: the order in which people look for text, where the engine's own is that of code units. Latin letters
 * are compared by their base, then by their marks, then by case, small letters first; marks and digits stand before
 * letters, and what is neither follows in code point order.
 */

import { type Locales, resolveLocale, supportedLocalesOf } from './locale.js';

export interface CollatorOptions {
  sensitivity?: 'base' | 'accent' | 'case' | 'variant';
  numeric?: boolean;
  ignorePunctuation?: boolean;
  caseFirst?: 'upper' | 'lower' | 'false';
  usage?: string;
}

/** In the order of the Unicode collation, before digits and letters. */
const PUNCTUATION = '\t\n\v\f\r \u00a0_-–—,;:!?.\'"‘’“”()[]{}@*/\\&#%`´^¨+<=>|~$€£¥';

/** Latin letters with marks, by their base: each string is the base and what is made of it, mark by mark. */
const LATIN = [
  'a áàăâåäãąā',
  'c ćĉčċç',
  'd ďđ',
  'e éèĕêěëėęē',
  'g ğĝġģ',
  'h ĥħ',
  'i íìĭîïįīı',
  'j ĵ',
  'k ķ',
  'l ĺľļł',
  'n ńňñņ',
  'o óòŏôöőõøō',
  'r ŕřŗ',
  's śŝšş',
  't ťţŧ',
  'u úùŭûůüűũųū',
  'w ŵ',
  'y ýŷÿ',
  'z źžż',
].map((line) => line.split(' ') as [string, string]);
const BASES = new Map(
  LATIN.flatMap(([base, marked]) => [...marked].map((letter, at) => [letter, [base, at + 1] as const])),
);
const EXPANDED: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', œ: 'oe', Æ: 'AE', Œ: 'OE' };

interface Element {
  primary: number;
  mark: number;
  isUpper: boolean;
}

export class Collator {
  readonly #options: CollatorOptions;

  constructor(locales?: Locales, options: CollatorOptions = {}) {
    resolveLocale(locales);
    const isNumeric = [locales].flat().some((tag) => /-u-(.*-)?kn(?!-false)/.test(String(tag)));
    this.#options = { sensitivity: 'variant', numeric: isNumeric, ...options };
    this.compare = this.compare.bind(this);
  }

  static supportedLocalesOf = supportedLocalesOf;

  compare(a: string, b: string): -1 | 0 | 1 {
    const { sensitivity, caseFirst } = this.#options;
    const [left, right] = [this.#elements(String(a)), this.#elements(String(b))];
    const by = (weight: (element: Element) => number) => first(left.map(weight), right.map(weight));
    const upper = caseFirst === 'upper' ? -1 : 1;
    return (
      by(({ primary }) => primary) ||
      (sensitivity === 'accent' || sensitivity === 'variant' ? by(({ mark }) => mark) : 0) ||
      (sensitivity === 'case' || sensitivity === 'variant' ? by(({ isUpper }) => (isUpper ? upper : 0)) : 0)
    );
  }

  resolvedOptions(): Record<string, unknown> {
    return { locale: resolveLocale(undefined), usage: 'sort', ...this.#options };
  }

  #elements(text: string): Element[] {
    const parts = this.#options.numeric ? (text.match(/\d+|\D/gu) ?? []) : [...text];
    return parts.flatMap((part) => {
      if (this.#options.ignorePunctuation && PUNCTUATION.includes(part)) {
        return [];
      }
      const expanded = EXPANDED[part];
      return expanded === undefined
        ? [elementOf(part)]
        : [...expanded].map((each) => ({ ...elementOf(each), mark: 1 }));
    });
  }
}

/** Ranges of weights: punctuation, digits, Latin letters, everything else. */
const DIGITS = 1_000;
const LETTERS = 1e15;
const OTHERS = 2e15;

function elementOf(part: string): Element {
  if (/^\d/.test(part)) {
    return { primary: DIGITS + Number(part), mark: 0, isUpper: false };
  }
  const at = PUNCTUATION.indexOf(part);
  if (at >= 0) {
    return { primary: at, mark: 0, isUpper: false };
  }
  const lower = part.toLowerCase();
  const [base, mark] = BASES.get(lower) ?? [lower, 0];
  const isLatin = /^[a-z]$/.test(base);
  return {
    primary: (isLatin ? LETTERS : OTHERS) + (base.codePointAt(0) ?? 0),
    mark,
    isUpper: lower !== part,
  };
}

function first(a: readonly number[], b: readonly number[]): -1 | 0 | 1 {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) {
      return difference < 0 ? -1 : 1;
    }
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}
