/**
 * The part of the Tasker worker's API that has no place in a handler: here the worker is the Rust host. A package
 * that imports such a name fails its build with the name's counterpart.
 */

const ENGINE = 'handlers run in the wasmtime engine of tasker-wasm-host; there is no runtime to choose or load';
const RUN = '`tasker-wasm-host run` starts and stops the worker';
const STATUS = 'ask the host: its /health and /status, or `tasker-wasm-host db status`';
const PUSH = 'the host claims steps from the queue and calls the handler; nothing is polled';
const DISPATCH = 'the host dispatches steps to the exported handlers';
const DISCOVERY = 'handlers are found when the component is built: export their classes from src/index.ts';
const DRAIN = '`tasker-wasm-host run` drains on SIGTERM and SIGINT';

const COUNTERPARTS: Readonly<Record<string, string>> = {
  BunRuntime: ENGINE,
  DenoRuntime: ENGINE,
  NodeRuntime: ENGINE,
  NapiRuntime: ENGINE,
  RuntimeFactory: ENGINE,
  FfiLayer: ENGINE,
  TaskerRuntime: ENGINE,
  getTaskerRuntime: ENGINE,
  resetTaskerRuntime: ENGINE,
  detectRuntime: ENGINE,
  isRuntimeSupported: ENGINE,
  assertSupportedRuntime: ENGINE,
  bootstrapWorker: RUN,
  stopWorker: RUN,
  isWorkerRunning: RUN,
  WorkerServer: RUN,
  getWorkerStatus: STATUS,
  healthCheck: STATUS,
  getVersion: STATUS,
  getRustVersion: STATUS,
  EventPoller: PUSH,
  createEventPoller: PUSH,
  EventSystem: PUSH,
  TaskerEventEmitter: PUSH,
  StepExecutionSubscriber: DISPATCH,
  HandlerSystem: DISCOVERY,
  ShutdownController: DRAIN,
  transitionToGracefulShutdown: DRAIN,
};

export function workerCounterpart(name: string): string | undefined {
  return Object.hasOwn(COUNTERPARTS, name) ? COUNTERPARTS[name] : undefined;
}
