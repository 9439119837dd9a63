/** `localeCompare` in the order people look for text in. */

import { Collator, type CollatorOptions } from '../intl/collator.js';
import type { Locales } from '../intl/locale.js';

const usual = new Collator();

Object.defineProperty(String.prototype, 'localeCompare', {
  value: function (this: string, other: string, locales?: Locales, options?: CollatorOptions): number {
    const collator = locales === undefined && options === undefined ? usual : new Collator(locales, options);
    return collator.compare(String(this), String(other));
  },
  writable: true,
  configurable: true,
});
