/** What an event's code threw, as the one text that the host gets. */

import { messageOf, readThrown } from '../types/thrown.js';
import type { PackageModules } from './index.js';

/** `TypeError: no amount`: the class and the message. */
export function explain(thrown: unknown): string {
  const { typeName, message } = readThrown(thrown);
  return thrown instanceof Error ? `${typeName}: ${message}` : message;
}

/** @throws Error that says what the modules threw */
export async function loaded(loadModules: () => Promise<{ modules: PackageModules }>): Promise<PackageModules> {
  try {
    return (await loadModules()).modules;
  } catch (error) {
    throw new Error(`the package's modules failed to load: ${messageOf(error)}`);
  }
}
