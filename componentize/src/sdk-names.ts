/** The names that handlers import the SDK by, and the modules of its `dist` that they mean, without extension. */

/** Package names: the published one, two older ones and the SDK's own. */
export const SDK_NAMES = [
  '@tasker-systems/tasker',
  '@tasker-systems/worker',
  '@tasker/worker-typescript',
  '@tasker-wasm/guest',
] as const;
export const SDK_IMPORT =
  /^(?:@tasker-systems\/(?:tasker|worker)|@tasker\/worker-typescript|@tasker-wasm\/guest)(?:\/|$)/;

/** Loggers that the SDK stands in for, whether they are installed or not: they write to files and processes. */
export const LOGGERS: Readonly<Record<string, string>> = { pino: 'pino/index', 'pino-pretty': 'pino/pretty' };
export const LOGGER_IMPORT = /^pino(?:-pretty)?$/;

/** What has a name of its own beside the index. */
export const SUBPATHS: Readonly<Record<string, string>> = {
  '@tasker-wasm/guest/component': 'component/index',
  '@tasker-wasm/guest/pino': 'pino/index',
  '@tasker-wasm/guest/pino-pretty': 'pino/pretty',
  '@tasker-wasm/guest/testing': 'testing/index',
};

/** Named by their place in the SDK: what a component has of Node, and what grants bring. */
const PLACED = /^@tasker-wasm\/guest\/((?:platform|component)\/.+)$/;
/** Imported for what they do. */
const EFFECTS = /^(?:platform\/globals|component\/host-)/;

/** Every name without a module of its own, subpaths too, means the index: it exports everything flat. */
export function sdkModule(specifier: string): { module: string; sideEffects: boolean } {
  const module = LOGGERS[specifier] ?? SUBPATHS[specifier] ?? PLACED.exec(specifier)?.[1] ?? 'index';
  return { module, sideEffects: EFFECTS.test(module) };
}
