/** `normalize`, which the engine lacks: it is built without Unicode tables. */

import unorm from 'unorm';

const FORMS: Readonly<Record<string, (text: string) => string>> = {
  NFC: unorm.nfc,
  NFD: unorm.nfd,
  NFKC: unorm.nfkc,
  NFKD: unorm.nfkd,
};

Object.defineProperty(String.prototype, 'normalize', {
  value: function (this: string, form: string = 'NFC'): string {
    const normalize = FORMS[form];
    if (normalize === undefined) {
      throw new RangeError(`The normalization form should be one of ${Object.keys(FORMS).join(', ')}.`);
    }
    return normalize(String(this));
  },
  writable: true,
  configurable: true,
});
