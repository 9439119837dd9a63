/** The global `Intl`, and the methods of numbers and dates that ask it. */

import { Collator } from '../intl/collator.js';
import { type Completion, DateTimeFormat, type DateTimeFormatOptions } from '../intl/date-time-format.js';
import { canonicalLocales, type Locales } from '../intl/locale.js';
import { NumberFormat, type NumberFormatOptions } from '../intl/number-format.js';
import { ListFormat, PluralRules, RelativeTimeFormat } from '../intl/rules.js';

const define = (owner: object, name: string, value: unknown) =>
  Object.defineProperty(owner, name, { value, writable: true, configurable: true });

define(globalThis, 'Intl', {
  Collator: callable(Collator),
  DateTimeFormat: callable(DateTimeFormat),
  ListFormat,
  NumberFormat: callable(NumberFormat),
  PluralRules,
  RelativeTimeFormat,
  getCanonicalLocales: canonicalLocales,
});

/** Classes from before there were classes: `new` may be left out. */
function callable<C extends new (...args: never[]) => object>(type: C): C {
  return new Proxy(type, { apply: (target, _self, args) => Reflect.construct(target, args) });
}

for (const type of [Number, BigInt]) {
  define(type.prototype, 'toLocaleString', function (this: number, locales?: Locales, options?: NumberFormatOptions) {
    return new NumberFormat(locales, options).format(this.valueOf());
  });
}

const METHODS: ReadonlyArray<readonly [name: string, completion: Completion]> = [
  ['toLocaleString', { required: 'any', defaults: 'all' }],
  ['toLocaleDateString', { required: 'date', defaults: 'date' }],
  ['toLocaleTimeString', { required: 'time', defaults: 'time' }],
];
for (const [name, completion] of METHODS) {
  define(Date.prototype, name, function (this: Date, locales?: Locales, options?: DateTimeFormatOptions) {
    return Number.isNaN(this.getTime())
      ? 'Invalid Date'
      : new DateTimeFormat(locales, options, completion).format(this);
  });
}
