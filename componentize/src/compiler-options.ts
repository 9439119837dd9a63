/** How a package is type-checked: by its own options over ours, but for what its build depends on. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { BuildError } from './build-error.js';
import { render } from './diagnostics.js';
import { LOGGERS, SDK_NAMES, SUBPATHS } from './sdk-names.js';
import type { Toolchain } from './toolchain.js';

const DEFAULTS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.es2023.d.ts', 'lib.webworker.d.ts'],
  types: [],
  strict: true,
};

/**
 * The options, and the files they come from: a configuration may extend others.
 *
 * @throws BuildError when the package's own are not valid
 */
export function compilerOptions(
  directory: string,
  toolchain: Toolchain,
): { options: ts.CompilerOptions; configurations: string[] } {
  const forced = forcedOptions(directory, toolchain);
  const path = join(directory, 'tsconfig.json');
  if (!existsSync(path)) {
    return { options: { ...DEFAULTS, ...forced }, configurations: [] };
  }
  const file = ts.readJsonConfigFile(path, ts.sys.readFile);
  const parsed = ts.parseJsonSourceFileConfigFileContent(file, ts.sys, directory, undefined, path);
  // "No inputs were found" does not matter: the modules to check are known.
  const errors = ts.getConfigFileParsingDiagnostics(parsed).filter((finding) => finding.code !== 18003);
  if (errors.length > 0) {
    throw new BuildError(
      'tsconfig.json is not valid',
      errors.map((finding) => render(finding, directory)),
    );
  }
  return {
    options: { ...DEFAULTS, ...parsed.options, ...forced },
    configurations: [path, ...(file.extendedSourceFiles ?? [])],
  };
}

/** Whatever a package's own configuration says, its SDK is this one, and nothing is written. */
function forcedOptions(directory: string, toolchain: Toolchain): ts.CompilerOptions {
  const declared = (module: string) => [join(toolchain.sdk.root, 'dist', `${module}.d.ts`)];
  const paths = (modules: ReadonlyArray<readonly [name: string, module: string]>) =>
    Object.fromEntries(modules.map(([name, module]) => [name, declared(module)]));
  return {
    noEmit: true,
    allowJs: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    composite: false,
    incremental: false,
    declaration: false,
    sourceMap: false,
    inlineSources: false,
    paths: {
      ...paths(Object.entries(SUBPATHS)),
      ...paths(SDK_NAMES.flatMap((name) => [name, `${name}/*`].map((each) => [each, 'index'] as const))),
      // A package that has installed one is written against its types.
      ...paths(Object.entries(LOGGERS).filter(([name]) => !isInstalled(name, directory))),
    },
  };
}

function isInstalled(name: string, directory: string): boolean {
  const { resolvedModule } = ts.resolveModuleName(name, join(directory, 'package.json'), DEFAULTS, ts.sys);
  return resolvedModule !== undefined;
}
