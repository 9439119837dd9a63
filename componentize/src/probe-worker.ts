/** The thread of `probe.ts`: runs a bundle and reports what its top level touched and which handlers it has. */

import vm from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type { HandlerDescriptor } from './manifest.js';
import { componentGlobals, type Touch } from './probe-globals.js';
import { hostModule } from './probe-host.js';

export interface ProbeReport {
  handlers: HandlerDescriptor[];
  touches: Touch[];
  error: { message: string; stack: string } | null;
}

/** Traces beyond these add nothing to the message. */
const MAX_TOUCHES = 20;

const { fileName, code } = workerData as { fileName: string; code: string };
const report: ProbeReport = { handlers: [], touches: [], error: null };
let loading = true;

function touch(what: string): void {
  if (loading && report.touches.length < MAX_TOUCHES) {
    report.touches.push({ what, stack: new Error().stack ?? '' });
  }
}

/** A promise nobody awaits may be rejected: that is the handler's affair, in the call. */
process.on('unhandledRejection', () => {});
Error.stackTraceLimit = 50;

try {
  const context = vm.createContext({}, { codeGeneration: { strings: true, wasm: false } });
  componentGlobals(context, touch);
  const module = new vm.SourceTextModule(code, { identifier: fileName, context });
  await module.link((specifier) => hostModule(specifier, context, touch));
  await module.evaluate();
  loading = false;
  const { handlers } = module.namespace as { handlers: { describe(): { handlers: HandlerDescriptor[] } } };
  // Through JSON: values of the other context cannot be posted.
  report.handlers = JSON.parse(JSON.stringify(handlers.describe().handlers));
} catch (error) {
  const { name, message, stack } = error as Error;
  report.error = { message: name === undefined ? String(error) : `${name}: ${message}`, stack: String(stack ?? '') };
}
parentPort?.postMessage(report);
