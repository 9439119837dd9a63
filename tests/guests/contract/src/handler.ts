/** Handlers that run test files. */

import { type DefinedHandler, defineHandler } from '@tasker-wasm/guest';
import { collect, run } from './runner.js';

/** @param load evaluates the test file */
export function contractHandler(file: string, load: () => Promise<unknown>): DefinedHandler {
  return defineHandler(`contract.${file}`, {}, async () => run(await collect(load)));
}
