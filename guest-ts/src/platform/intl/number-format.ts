/** `Intl.NumberFormat` of American English: plain numbers, percentages, money and, shortly, thousands and millions. */

import { type Decimal, rounded, significant, trimmed } from './decimal.js';
import { joined, type Locales, type Part, resolveLocale, supportedLocalesOf } from './locale.js';

export interface NumberFormatOptions {
  style?: 'decimal' | 'percent' | 'currency' | 'unit';
  currency?: string;
  currencyDisplay?: 'symbol' | 'narrowSymbol' | 'code' | 'name';
  currencySign?: 'standard' | 'accounting';
  notation?: 'standard' | 'compact' | 'scientific' | 'engineering';
  compactDisplay?: 'short' | 'long';
  useGrouping?: boolean | 'auto' | 'always' | 'min2' | 'true' | 'false';
  signDisplay?: 'auto' | 'never' | 'always' | 'exceptZero' | 'negative';
  minimumIntegerDigits?: number;
  minimumFractionDigits?: number;
  maximumFractionDigits?: number;
  minimumSignificantDigits?: number;
  maximumSignificantDigits?: number;
}

/** Of currencies that have one in American English; the others are named by their code. */
const SYMBOLS: Readonly<Record<string, string>> = {
  AUD: 'A$',
  BRL: 'R$',
  CAD: 'CA$',
  CNY: 'CN¥',
  EUR: '€',
  GBP: '£',
  HKD: 'HK$',
  ILS: '₪',
  INR: '₹',
  JPY: '¥',
  KRW: '₩',
  MXN: 'MX$',
  NZD: 'NZ$',
  PHP: '₱',
  TWD: 'NT$',
  USD: '$',
  VND: '₫',
};
const NO_CENTS = ['CLP', 'ISK', 'JPY', 'KRW', 'PYG', 'UGX', 'VND', 'XAF', 'XOF', 'XPF'];
const THREE_DIGITS = ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'];
const MAGNITUDES = [
  ['', ''],
  ['K', 'thousand'],
  ['M', 'million'],
  ['B', 'billion'],
  ['T', 'trillion'],
] as const;

const UNSUPPORTED: ReadonlyArray<[option: 'style' | 'notation' | 'currencyDisplay', value: string]> = [
  ['style', 'unit'],
  ['notation', 'scientific'],
  ['notation', 'engineering'],
  ['currencyDisplay', 'name'],
];

export class NumberFormat {
  readonly #options: NumberFormatOptions;
  readonly #minimum: number;
  readonly #maximum: number;

  constructor(locales?: Locales, options: NumberFormatOptions = {}) {
    resolveLocale(locales);
    const { style = 'decimal', currency, notation } = options;
    for (const [option, value] of UNSUPPORTED) {
      if (options[option] === value) {
        throw new RangeError(`Intl.NumberFormat in a component has no ${option} '${value}': write it out`);
      }
    }
    if (style === 'currency' && !/^[a-z]{3}$/i.test(currency ?? '')) {
      const message = `Invalid currency code: ${String(currency)}`;
      throw currency === undefined
        ? new TypeError('Currency code is required with currency style.')
        : new RangeError(message);
    }
    const cents = style === 'currency' && notation !== 'compact' ? centsOf(currency as string) : null;
    const { minimumFractionDigits: least, maximumFractionDigits: most } = options;
    const standard = cents ?? (style === 'percent' || notation === 'compact' || style === 'currency' ? 0 : 3);
    this.#minimum = digits('minimumFractionDigits', least, 0) ?? Math.min(cents ?? 0, most ?? 100);
    this.#maximum = digits('maximumFractionDigits', most, 0) ?? Math.max(standard, this.#minimum);
    if (this.#minimum > this.#maximum) {
      throw new RangeError('maximumFractionDigits value is out of range.');
    }
    digits('maximumSignificantDigits', options.maximumSignificantDigits, 1);
    this.#options = { ...options, style, ...(currency !== undefined && { currency: currency.toUpperCase() }) };
    // As an unbound function too, which is how it is passed to `map`.
    this.format = this.format.bind(this);
  }

  static supportedLocalesOf = supportedLocalesOf;

  format(value: number | bigint | string): string {
    return joined(this.formatToParts(value));
  }

  formatToParts(value: number | bigint | string): Part[] {
    const number = typeof value === 'bigint' ? value : Number(value);
    const { style, currencySign, signDisplay = 'auto' } = this.#options;
    const { parts: body, zero } = this.#body(number);
    const finite = typeof number === 'bigint' || Number.isFinite(number);
    const negative = number < 0 || Object.is(number, -0);
    const isMinus = negative && signDisplay !== 'never' && !(zero && ['negative', 'exceptZero'].includes(signDisplay));
    const isPlus =
      !negative && (signDisplay === 'always' || (signDisplay === 'exceptZero' && !zero && !Number.isNaN(number)));
    const money = style === 'currency' ? this.#money(finite) : [];
    const percent = style === 'percent' ? [{ type: 'percentSign', value: '%' }] : [];
    const whole = [...money, ...body, ...percent];
    if (isMinus && currencySign === 'accounting' && style === 'currency') {
      return [{ type: 'literal', value: '(' }, ...whole, { type: 'literal', value: ')' }];
    }
    const sign = isMinus ? [{ type: 'minusSign', value: '-' }] : isPlus ? [{ type: 'plusSign', value: '+' }] : [];
    return [...sign, ...whole];
  }

  resolvedOptions(): Record<string, unknown> {
    return {
      locale: resolveLocale(undefined),
      numberingSystem: 'latn',
      ...this.#options,
      minimumFractionDigits: this.#minimum,
      maximumFractionDigits: this.#maximum,
    };
  }

  #money(finite: boolean): Part[] {
    const { currency = '', currencyDisplay = 'symbol' } = this.#options;
    const symbol = currencyDisplay === 'code' ? undefined : SYMBOLS[currency];
    if (symbol === undefined) {
      return [{ type: 'currency', value: currency }, ...(finite ? [{ type: 'literal', value: '\u00a0' }] : [])];
    }
    return [
      { type: 'currency', value: currencyDisplay === 'narrowSymbol' ? symbol.replace(/^[A-Z]+(?=\W)/, '') : symbol },
    ];
  }

  #body(value: number | bigint): { parts: Part[]; zero: boolean } {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      const isNone = Number.isNaN(value);
      return { parts: [{ type: isNone ? 'nan' : 'infinity', value: isNone ? 'NaN' : '∞' }], zero: false };
    }
    const { style, notation, compactDisplay = 'short' } = this.#options;
    if (notation === 'compact') {
      const { decimal, magnitude } = this.#compact(Number(value));
      const name = MAGNITUDES[magnitude]?.[compactDisplay === 'long' ? 1 : 0] ?? '';
      const suffix = name === '' ? [] : [{ type: 'compact', value: name }];
      const space = suffix.length > 0 && compactDisplay === 'long' ? [{ type: 'literal', value: ' ' }] : [];
      return { parts: [...this.#digits(decimal), ...space, ...suffix], zero: isZero(decimal) };
    }
    const scaled = style === 'percent' ? hundredfold(value) : value;
    const decimal = this.#round(scaled, this.#minimum, this.#maximum);
    return { parts: this.#digits(decimal), zero: isZero(decimal) };
  }

  #round(value: number | bigint, minimum: number, maximum: number): Decimal {
    const { minimumSignificantDigits: least, maximumSignificantDigits: most } = this.#options;
    if (least === undefined && most === undefined) {
      return trimmed(rounded(value, maximum), minimum);
    }
    const decimal = significant(value, most ?? 21);
    const leading = `${decimal.integer}${decimal.fraction}`.match(/^0*/)?.[0].length ?? 0;
    return trimmed(decimal, Math.max(0, (least ?? 1) + (isZero(decimal) ? 0 : leading) - decimal.integer.length));
  }

  /** Two digits where there is one before the point, else none behind it, unless the options say otherwise. */
  #compact(value: number): { decimal: Decimal; magnitude: number } {
    const { minimumFractionDigits, maximumFractionDigits, maximumSignificantDigits } = this.#options;
    const isPlain = [minimumFractionDigits, maximumFractionDigits, maximumSignificantDigits].every(
      (each) => each === undefined,
    );
    const at = (magnitude: number): Decimal => {
      const scaled = value / 1000 ** magnitude;
      if (!isPlain) {
        return this.#round(scaled, this.#minimum, this.#maximum);
      }
      return trimmed(Math.abs(scaled) < 100 ? significant(scaled, 2) : rounded(scaled, 0), 0);
    };
    const size = Math.floor(Math.log10(Math.abs(value) || 1) / 3);
    const magnitude = Math.min(Math.max(size, 0), MAGNITUDES.length - 1);
    const decimal = at(magnitude);
    const grown = decimal.integer.length > 3 && magnitude < MAGNITUDES.length - 1;
    return grown ? { decimal: at(magnitude + 1), magnitude: magnitude + 1 } : { decimal, magnitude };
  }

  #digits({ integer, fraction }: Decimal): Part[] {
    const { useGrouping = true, minimumIntegerDigits = 1, notation } = this.#options;
    const padded = integer.padStart(minimumIntegerDigits, '0');
    const isGrouped =
      useGrouping !== false &&
      useGrouping !== 'false' &&
      ((useGrouping !== 'min2' && (notation !== 'compact' || useGrouping === 'always')) || padded.length > 4);
    const groups = isGrouped ? padded.replace(/\B(?=(\d{3})+$)/g, ',').split(',') : [padded];
    const parts = groups.flatMap((value, index) => [
      ...(index > 0 ? [{ type: 'group', value: ',' }] : []),
      { type: 'integer', value },
    ]);
    return fraction === '' ? parts : [...parts, { type: 'decimal', value: '.' }, { type: 'fraction', value: fraction }];
  }
}

const isZero = ({ integer, fraction }: Decimal): boolean => /^0*$/.test(integer + fraction);

/** By moving the point: a product would not be exact. */
function hundredfold(value: number | bigint): number | bigint {
  if (typeof value === 'bigint') {
    return value * 100n;
  }
  const [mantissa, exponent] = value.toExponential().split('e');
  return Number(`${mantissa}e${Number(exponent) + 2}`);
}

function centsOf(currency: string): number {
  const code = currency.toUpperCase();
  return NO_CENTS.includes(code) ? 0 : THREE_DIGITS.includes(code) ? 3 : 2;
}

function digits(name: string, value: number | undefined, least: number): number | undefined {
  if (value !== undefined && !(value >= least && value <= 100)) {
    throw new RangeError(`${name} value is out of range.`);
  }
  return value === undefined ? undefined : Math.floor(value);
}
