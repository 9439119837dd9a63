/** `Intl.DateTimeFormat` of American English, in UTC or at an offset from it: an engine without `Intl` knows no zones. */

import { joined, type Locales, type Part, resolveLocale, supportedLocalesOf } from './locale.js';

type Text = 'long' | 'short' | 'narrow';
type Digits = 'numeric' | '2-digit';
type Style = 'full' | 'long' | 'medium' | 'short';

export interface DateTimeFormatOptions {
  weekday?: Text;
  year?: Digits;
  month?: Digits | Text;
  day?: Digits;
  hour?: Digits;
  minute?: Digits;
  second?: Digits;
  fractionalSecondDigits?: 1 | 2 | 3;
  hour12?: boolean;
  hourCycle?: 'h11' | 'h12' | 'h23' | 'h24';
  timeZone?: string;
  timeZoneName?: string;
  dateStyle?: Style;
  timeStyle?: Style;
}

/** Which fields are looked for, and what is filled in where there is none. */
export interface Completion {
  required: 'date' | 'time' | 'any';
  defaults: 'date' | 'time' | 'all';
}

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DATE_FIELDS = ['weekday', 'year', 'month', 'day'] as const;
const TIME_FIELDS = ['hour', 'minute', 'second', 'fractionalSecondDigits'] as const;
const DATE: DateTimeFormatOptions = { year: 'numeric', month: 'numeric', day: 'numeric' };
const TIME: DateTimeFormatOptions = { hour: 'numeric', minute: '2-digit', second: '2-digit' };

const DATE_STYLES: Readonly<Record<Style, DateTimeFormatOptions>> = {
  full: { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' },
  long: { year: 'numeric', month: 'long', day: 'numeric' },
  medium: { year: 'numeric', month: 'short', day: 'numeric' },
  short: { year: '2-digit', month: 'numeric', day: 'numeric' },
};
const TIME_STYLES: Readonly<Record<Style, DateTimeFormatOptions>> = {
  full: { ...TIME, timeZoneName: 'long' },
  long: { ...TIME, timeZoneName: 'short' },
  medium: TIME,
  short: { hour: 'numeric', minute: '2-digit' },
};

const ANY: Completion = { required: 'any', defaults: 'date' };

const literal = (value: string): Part => ({ type: 'literal', value });

export class DateTimeFormat {
  readonly #options: DateTimeFormatOptions;
  readonly #offset: number;
  readonly #zone: string;

  constructor(locales?: Locales, options: DateTimeFormatOptions = {}, completion: Completion = ANY) {
    resolveLocale(locales);
    [this.#zone, this.#offset] = zone(options.timeZone ?? 'UTC');
    this.#options = completed(options, completion);
    this.format = this.format.bind(this);
  }

  static supportedLocalesOf = supportedLocalesOf;

  format(date?: Date | number): string {
    return joined(this.formatToParts(date));
  }

  formatToParts(date: Date | number = Date.now()): Part[] {
    const time = Number(date);
    if (Number.isNaN(new Date(time).getTime())) {
      throw new RangeError('Invalid time value');
    }
    const shifted = new Date(time + this.#offset * 60_000);
    const [day, clock] = [dateParts(shifted, this.#options), this.#timeParts(shifted)];
    const { dateStyle, month } = this.#options;
    const isLong = dateStyle === undefined ? month === 'long' : ['full', 'long'].includes(dateStyle);
    const between = day.length > 0 && clock.length > 0 ? [literal(isLong ? ' at ' : ', ')] : [];
    return [...day, ...between, ...clock];
  }

  formatRange(start: Date | number, end: Date | number): string {
    return `${this.format(start)} – ${this.format(end)}`;
  }

  resolvedOptions(): Record<string, unknown> {
    const locale = resolveLocale(undefined);
    return { locale, calendar: 'gregory', numberingSystem: 'latn', ...this.#options, timeZone: this.#zone };
  }

  #timeParts(date: Date): Part[] {
    const { hour, minute, second, fractionalSecondDigits: fraction, timeZoneName } = this.#options;
    const parts: Part[] = [];
    const add = (type: string, value: string, separator: string) => {
      parts.push(...(parts.length > 0 ? [literal(separator)] : []), { type, value });
    };
    const cycle = cycleOf(this.#options);
    const hours = date.getUTCHours();
    if (hour !== undefined) {
      const shown = { h11: hours % 12, h12: hours % 12 || 12, h23: hours, h24: hours || 24 }[cycle];
      const isWide = hour === '2-digit' || cycle === 'h23' || cycle === 'h24';
      add('hour', isWide ? wide(shown) : String(shown), '');
    }
    if (minute !== undefined) {
      const alone = hour === undefined && second === undefined;
      add('minute', alone ? String(date.getUTCMinutes()) : wide(date.getUTCMinutes()), ':');
    }
    if (second !== undefined) {
      const alone = minute === undefined;
      add('second', alone ? String(date.getUTCSeconds()) : wide(date.getUTCSeconds()), ':');
    }
    if (fraction !== undefined) {
      add('fractionalSecond', wide(date.getUTCMilliseconds(), 3).slice(0, fraction), '.');
    }
    if (hour !== undefined && (cycle === 'h12' || cycle === 'h11')) {
      add('dayPeriod', hours < 12 ? 'AM' : 'PM', ' ');
    }
    if (timeZoneName !== undefined) {
      const isUtc = this.#zone === 'UTC';
      const name = isUtc ? (timeZoneName === 'long' ? 'Coordinated Universal Time' : 'UTC') : shortOffset(this.#offset);
      add('timeZoneName', name, ' ');
    }
    return parts;
  }
}

/** What is left out, filled in as the standard does it. */
function completed(options: DateTimeFormatOptions, { required, defaults }: Completion): DateTimeFormatOptions {
  const { dateStyle, timeStyle } = options;
  const has = (fields: readonly (keyof DateTimeFormatOptions)[]) =>
    fields.some((field) => options[field] !== undefined);
  if (dateStyle !== undefined || timeStyle !== undefined) {
    if (has([...DATE_FIELDS, ...TIME_FIELDS])) {
      throw new TypeError("Can't set option fields when dateStyle or timeStyle is used");
    }
    return { ...options, ...(dateStyle && DATE_STYLES[dateStyle]), ...(timeStyle && TIME_STYLES[timeStyle]) };
  }
  const wanted = [...(required !== 'time' ? DATE_FIELDS : []), ...(required !== 'date' ? TIME_FIELDS : [])];
  return has(wanted) ? options : { ...options, ...(defaults !== 'time' && DATE), ...(defaults !== 'date' && TIME) };
}

function dateParts(date: Date, { weekday, year, month, day }: DateTimeFormatOptions): Part[] {
  const dayOfMonth = day && { type: 'day', value: number(date.getUTCDate(), day) };
  const yearPart = year && {
    type: 'year',
    value: year === '2-digit' ? wide(date.getUTCFullYear() % 100) : String(date.getUTCFullYear()),
  };
  const named = weekday && { type: 'weekday', value: short(WEEKDAYS[date.getUTCDay()] as string, weekday) };
  if (month === undefined || month === 'numeric' || month === '2-digit') {
    const monthPart = month && { type: 'month', value: number(date.getUTCMonth() + 1, month) };
    return separated([
      [named, ''],
      [monthPart, ', '],
      [dayOfMonth, monthPart ? '/' : ', '],
      [yearPart, monthPart || dayOfMonth ? '/' : ', '],
    ]);
  }
  const monthPart = { type: 'month', value: short(MONTHS[date.getUTCMonth()] as string, month) };
  return separated([
    [named, ''],
    [monthPart, ', '],
    [dayOfMonth, ' '],
    [yearPart, dayOfMonth ? ', ' : ' '],
  ]);
}

/** Those that are there, each after its separator but for the first. */
function separated(parts: ReadonlyArray<readonly [part: Part | '' | undefined, separator: string]>): Part[] {
  const there = parts.filter((pair): pair is [Part, string] => Boolean(pair[0]));
  return there.flatMap(([part, separator], index) => (index === 0 ? [part] : [literal(separator), part]));
}

const wide = (value: number, digits = 2): string => String(value).padStart(digits, '0');
const number = (value: number, form: Digits): string => (form === '2-digit' ? wide(value) : String(value));
const short = (name: string, form: Text): string =>
  ({ long: name, short: name.slice(0, 3), narrow: name.slice(0, 1) })[form];

function cycleOf({
  hour12,
  hourCycle = 'h12',
}: DateTimeFormatOptions): NonNullable<DateTimeFormatOptions['hourCycle']> {
  return hour12 === undefined ? hourCycle : hour12 ? 'h12' : 'h24';
}

/** Minutes east of Greenwich. */
function zone(name: string): [name: string, offset: number] {
  if (/^(utc|gmt|etc\/(utc|gmt|uct|zulu|universal)|z)$/i.test(name)) {
    return ['UTC', 0];
  }
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(name) ?? [];
  if (hours === undefined) {
    const instead = "a component knows UTC and offsets, such as '+02:00'";
    throw new RangeError(`Invalid time zone specified: ${name} (${instead})`);
  }
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  return [`${sign}${hours}:${wide(Number(minutes))}`, offset];
}

function shortOffset(offset: number): string {
  const minutes = Math.abs(offset) % 60;
  const hours = Math.floor(Math.abs(offset) / 60);
  return `GMT${offset < 0 ? '-' : '+'}${hours}${minutes > 0 ? `:${wide(minutes)}` : ''}`;
}
