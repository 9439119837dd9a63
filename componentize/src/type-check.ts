/**
 * Type-checks a package against the SDK and finds imports of the worker's own surface. Node's declarations are there for
 * every package, its own or else ours: the platform of a component is a part of Node, and what is not in it has an error
 * of its own.
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { BuildError } from './build-error.js';
import { environmentUses, FOREIGN, foreignUses } from './global-uses.js';
import { SDK_IMPORT, SDK_NAMES, type Toolchain } from './toolchain.js';
import { workerCounterpart } from './worker-surface.js';

const DECLARED = ['host-imports', 'wasi-imports'];

const DEFAULTS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.es2023.d.ts', 'lib.webworker.d.ts'],
  types: [],
  strict: true,
};

export interface Checked {
  /** Those, outside TypeScript's own library, that the check has read. */
  files: string[];
  warnings: string[];
}

/** @param environment whether there is anything in `process.env` */
export function typeCheck(
  directory: string,
  modules: readonly string[],
  environment: boolean,
  toolchain: Toolchain,
): Checked {
  const program = ts.createProgram({
    rootNames: [
      ...modules.map((module) => join(directory, module)),
      ...DECLARED.map((name) => join(toolchain.sdk.root, 'types', `${name}.d.ts`)),
      nodeTypes(directory),
    ],
    options: { ...compilerOptions(directory), ...forcedOptions(toolchain) },
  });
  const own = program.getSourceFiles().filter((file) => isOwn(file, directory));

  const misplaced = own.flatMap((file) => workerImports(file, directory));
  if (misplaced.length > 0) {
    throw new BuildError('a handler cannot import the worker: here the worker is tasker-wasm-host', misplaced);
  }
  const foreign = own.flatMap((file) =>
    foreignUses(file).map(
      ({ name, node }) =>
        `${location(file, node.getStart(file), directory)}: '${name}': ${FOREIGN[name.split('.')[0] as string]}`,
    ),
  );
  if (foreign.length > 0) {
    throw new BuildError('a handler runs neither in Bun nor in Deno', foreign);
  }
  const diagnostics = ts.getPreEmitDiagnostics(program);
  if (diagnostics.length > 0) {
    throw new BuildError(
      `${diagnostics.length} type error${diagnostics.length === 1 ? '' : 's'}`,
      diagnostics.map((diagnostic) => render(diagnostic, directory)),
    );
  }
  return {
    files: program
      .getSourceFiles()
      .filter((file) => !program.isSourceFileDefaultLibrary(file))
      .map((file) => file.fileName),
    warnings: environment ? [] : own.flatMap((file) => emptyEnvironment(file, directory)),
  };
}

/** The package's own, else those that the builder brings. */
function nodeTypes(directory: string): string {
  const nearest = [join(directory, 'package.json'), import.meta.url].map((from) => createRequire(from));
  for (const require of nearest) {
    try {
      return join(dirname(require.resolve('@types/node/package.json')), 'index.d.ts');
    } catch {
      // The next may have them.
    }
  }
  throw new Error('@types/node is missing: install the builder again');
}

function emptyEnvironment(file: ts.SourceFile, directory: string): string[] {
  return environmentUses(file)
    .slice(0, 1)
    .map(({ node }) => `${location(file, node.getStart(file), directory)}: ${NO_ENVIRONMENT}`);
}

function compilerOptions(directory: string): ts.CompilerOptions {
  const file = join(directory, 'tsconfig.json');
  if (!existsSync(file)) {
    return DEFAULTS;
  }
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  const parsed = error ? null : ts.parseJsonConfigFileContent(config, ts.sys, directory, undefined, file);
  // "No inputs were found" does not matter: the modules to check are known.
  const errors = error ? [error] : (parsed?.errors ?? []).filter((finding) => finding.code !== 18003);
  if (errors.length > 0) {
    throw new BuildError(
      'tsconfig.json is not valid',
      errors.map((finding) => render(finding, directory)),
    );
  }
  return { ...DEFAULTS, ...parsed?.options };
}

/** Whatever a package's own configuration says, its SDK is this one, and nothing is written. */
function forcedOptions(toolchain: Toolchain): ts.CompilerOptions {
  const index = join(toolchain.sdk.root, 'dist', 'index.d.ts');
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
    paths: Object.fromEntries(
      SDK_NAMES.flatMap((name) => [
        [name, [index]],
        [`${name}/*`, [index]],
      ]),
    ),
  };
}

function isOwn(file: ts.SourceFile, directory: string): boolean {
  return (
    !file.isDeclarationFile &&
    !relative(directory, file.fileName).startsWith('..') &&
    !file.fileName.includes('/node_modules/')
  );
}

function workerImports(file: ts.SourceFile, directory: string): string[] {
  const findings: string[] = [];
  for (const statement of file.statements) {
    const imported = importedNames(statement);
    for (const name of imported) {
      const text = (name.propertyName ?? name.name).text;
      const counterpart = workerCounterpart(text);
      if (counterpart !== undefined) {
        findings.push(`${location(file, name.getStart(file), directory)}: '${text}': ${counterpart}`);
      }
    }
  }
  return findings;
}

function importedNames(statement: ts.Statement): readonly (ts.ImportSpecifier | ts.ExportSpecifier)[] {
  const isImport = ts.isImportDeclaration(statement);
  if (!isImport && !ts.isExportDeclaration(statement)) {
    return [];
  }
  const module = statement.moduleSpecifier;
  if (module === undefined || !ts.isStringLiteral(module) || !SDK_IMPORT.test(module.text)) {
    return [];
  }
  const bindings = isImport ? statement.importClause?.namedBindings : statement.exportClause;
  return bindings !== undefined && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings))
    ? bindings.elements
    : [];
}

const NO_ENVIRONMENT =
  'process.env is empty; ask for environment values in tasker.toml: under [grants], env = ["REGION"]';

function render(diagnostic: ts.Diagnostic, directory: string): string {
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  const text = `${message} (TS${diagnostic.code})`;
  return diagnostic.file === undefined
    ? text
    : `${location(diagnostic.file, diagnostic.start ?? 0, directory)}: ${text}`;
}

function location(file: ts.SourceFile, position: number, directory: string): string {
  const { line, character } = file.getLineAndCharacterOfPosition(position);
  return `${relative(directory, file.fileName)}:${line + 1}:${character + 1}`;
}
