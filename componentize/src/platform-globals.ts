/**
 * Globals that the engine lacks or has in part, and how a bundle's use of them is found: esbuild, which tells a global
 * from a variable of the same name and leaves out code that nobody calls, is asked to write another name for each, and
 * what is left in the bundle is used. Methods are found by the calls in what was bundled. A lookup by a computed name
 * is not seen.
 */

import ts from 'typescript';

/** Global to the module of the SDK's `platform/globals/` that installs it. */
const GLOBALS: Readonly<Record<string, string>> = {
  Buffer: 'buffer',
  Intl: 'intl',
  TextDecoderStream: 'text-streams',
  TextEncoderStream: 'text-streams',
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

/** Methods that the engine lacks or has in part: the modules that install them. */
const METHODS: Readonly<Record<string, string>> = {
  canParse: 'url',
  clone: 'response',
  localeCompare: 'locale-compare',
  normalize: 'normalize',
  toLocaleDateString: 'intl',
  toLocaleString: 'intl',
  toLocaleTimeString: 'intl',
};

/** What reads streams of the web that the engine cannot iterate over, and makes some of what can be. */
const ITERATION = /\bfor await\b|\bSymbol\.asyncIterator\b|\bReadableStream\.from\b/;

/** The modules whose globals and methods the code uses, but for those that are installed. */
export function missingGlobals(code: string, installed: readonly string[]): string[] {
  const used = Object.keys(GLOBALS).filter((name) => code.includes(marker(name)));
  const missing = new Set(used.map((name) => GLOBALS[name] as string));
  const sought = Object.keys(METHODS).filter((name) => !installed.includes(METHODS[name] as string));
  for (const name of calledMethods(code, sought)) {
    missing.add(METHODS[name] as string);
  }
  if (!installed.includes('streams') && ITERATION.test(code)) {
    missing.add('streams');
  }
  return [...missing];
}

function calledMethods(code: string, names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const possible = names.filter((name) => code.includes(name));
  if (possible.length === 0) {
    return found;
  }
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const name = node.expression.name.text;
      if (possible.includes(name) && (MEANT[name]?.(node, code) ?? true)) {
        found.add(name);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('bundle.js', code, ts.ScriptTarget.ES2022, false, ts.ScriptKind.JS));
  return found;
}

/** Of methods that others have by the same name: whether a call may be of the one that is meant. */
const MEANT: Readonly<Record<string, (call: ts.CallExpression, code: string) => boolean>> = {
  // Much is cloned; responses come from somewhere.
  clone: ({ arguments: given }, code) => given.length === 0 && /\bResponse\b|fetch/.test(code),
  // Paths are normalised too: by a path. Text is by a form, or by nothing.
  normalize: ({ arguments: [form, ...rest] }) =>
    rest.length === 0 && (form === undefined || (ts.isStringLiteralLike(form) && /^NFK?[CD]$/.test(form.text))),
};
