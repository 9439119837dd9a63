/**
 * Globals that the engine lacks or has in part, and how a bundle's use of them is found: esbuild, which tells a global
 * from a variable of the same name and leaves out code that nobody calls, is asked to write another name for each, and
 * what is left in the bundle is used. A lookup by a computed name is not seen.
 */

/** Global to the module of the SDK's `platform/globals/` that installs it. */
const GLOBALS: Readonly<Record<string, string>> = {
  Buffer: 'buffer',
  Intl: 'intl',
  clearImmediate: 'timers',
  fetch: 'fetch',
  global: 'global',
  process: 'process',
  setImmediate: 'timers',
};

/** Names of the global object, through which globals are reached too. */
const OBJECTS = ['globalThis', 'global', 'self'];

const marker = (name: string) => `__tasker_global_${name}__`;

/** For esbuild's `define`: other names for the globals of modules that are not installed. */
export function markers(installed: readonly string[]): Record<string, string> {
  const names = Object.keys(GLOBALS).filter((name) => !installed.includes(GLOBALS[name] as string));
  const mode = names.includes('process') ? `${marker('process')}.env.NODE_ENV` : 'process.env.NODE_ENV';
  const found = Object.fromEntries(
    names.flatMap((name) =>
      [name, ...OBJECTS.filter((object) => object !== name).map((object) => `${object}.${name}`)].map((use) => [
        use,
        marker(name),
      ]),
    ),
  );
  // As everything in the environment, and not as esbuild would have it.
  return { ...found, 'process.env.NODE_ENV': mode };
}

/** The modules whose globals the code uses and does not have. */
export function missingGlobals(code: string): string[] {
  const used = Object.keys(GLOBALS).filter((name) => code.includes(marker(name)));
  return [...new Set(used.map((name) => GLOBALS[name] as string))];
}
