/**
 * `process.env` for packages that ask for environment values: what libraries look at. Only the values the host grants
 * are there, secrets as placeholders that stand for them in requests. The values of one call belong to it, so they are
 * read when somebody looks and not while the component is built.
 */

import { getEnvironment } from 'wasi:cli/environment@0.2.12';

let values: Record<string, string> | null = null;

Object.defineProperty(globalThis, 'process', {
  value: {
    get env() {
      values ??= Object.fromEntries(getEnvironment());
      return values;
    },
  },
  writable: true,
  configurable: true,
});
