/** The thread of `probe.ts`: runs a bundle and reports what its top level touched and what it exports. */

import vm from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type { HandlerDescriptor, PublisherDescriptor, Subscription } from './manifest.js';
import { componentGlobals, type Touch } from './probe-globals.js';
import { hostModule } from './probe-host.js';

/** What the thread is given. */
export interface ProbeRequest {
  fileName: string;
  code: string;
  /** What the modules export that the package's grants bring. */
  imports: Record<string, string[]>;
}

export interface ProbeReport {
  handlers: HandlerDescriptor[];
  publishers: PublisherDescriptor[];
  subscriptions: Subscription[];
  touches: Touch[];
  error: { message: string; stack: string } | null;
}

/** Of the world `full-handler`. */
interface Exports {
  handlers: { describe(): { handlers: HandlerDescriptor[] } };
  publishers: { listPublishers(): PublisherDescriptor[] };
  subscribers: { listSubscriptions(): Subscription[] };
}

/** Traces beyond these add nothing to the message. */
const MAX_TOUCHES = 20;

const { fileName, code, imports } = workerData as ProbeRequest;
const report: ProbeReport = { handlers: [], publishers: [], subscriptions: [], touches: [], error: null };
let loading = true;

function touch(what: string): void {
  if (loading && report.touches.length < MAX_TOUCHES) {
    report.touches.push({ what, stack: new Error().stack ?? '' });
  }
}

/** Node does not keep linked modules alive itself: it crashes when one was collected before it is evaluated. */
const hostModules = new Map<string, vm.Module>();

/** A promise nobody awaits may be rejected: that is the handler's affair, in the call. */
process.on('unhandledRejection', () => {});
Error.stackTraceLimit = 50;

try {
  const context = vm.createContext({}, { codeGeneration: { strings: true, wasm: false } });
  componentGlobals(context, touch);
  const module = new vm.SourceTextModule(code, { identifier: fileName, context });
  await module.link((specifier) => {
    const host = hostModules.get(specifier) ?? hostModule(specifier, imports, context, touch);
    hostModules.set(specifier, host);
    return host;
  });
  await module.evaluate();
  loading = false;
  const exports = module.namespace as Exports;
  // Through JSON: values of the other context cannot be posted.
  const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value));
  report.handlers = copy(exports.handlers.describe().handlers);
  report.publishers = copy(exports.publishers.listPublishers());
  report.subscriptions = copy(exports.subscribers.listSubscriptions());
} catch (error) {
  const { name, message, stack } = error as Error;
  report.error = { message: name === undefined ? String(error) : `${name}: ${message}`, stack: String(stack ?? '') };
}
parentPort?.postMessage(report);
