/** The environment of a package that asks for it: the granted values, and placeholders of the granted secrets. */

import { getEnvironment } from 'wasi:cli/environment@0.2.12';

export function environment(): Record<string, string> {
  return Object.fromEntries(getEnvironment());
}
