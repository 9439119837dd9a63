/**
 * Type-checks a package against the SDK and finds imports of the worker's own surface. Node's declarations are there for
 * every package, its own or else ours: the platform of a component is a part of Node, and what is not in it has an error
 * of its own.
 */

import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { BuildError } from './build-error.js';
import { compilerOptions } from './compiler-options.js';
import { location, render } from './diagnostics.js';
import { environmentUses, FOREIGN, foreignUses } from './global-uses.js';
import { hostWithKeptDeclarations } from './kept-declarations.js';
import { SDK_IMPORT } from './sdk-names.js';
import type { Toolchain } from './toolchain.js';
import { workerCounterpart } from './worker-surface.js';

const DECLARED = ['host-imports', 'wasi-imports'];

export interface TypeCheck {
  /** Absolute paths of what was read outside TypeScript's own library. */
  files: string[];
  warnings: string[];
  error: BuildError | null;
}

/**
 * @param environment whether there is anything in `process.env`
 * @throws BuildError when the package's compiler options are not valid
 */
export function typeCheck(
  directory: string,
  modules: readonly string[],
  environment: boolean,
  toolchain: Toolchain,
): TypeCheck {
  const { options, configurations } = compilerOptions(directory, toolchain);
  const program = ts.createProgram({
    rootNames: [
      ...modules.map((module) => join(directory, module)),
      ...DECLARED.map((name) => join(toolchain.sdk.root, 'types', `${name}.d.ts`)),
      nodeTypes(directory),
    ],
    options,
    host: hostWithKeptDeclarations(options),
  });
  const sources = program.getSourceFiles().filter((file) => isOwn(file, directory));
  return {
    files: [
      ...configurations,
      ...program
        .getSourceFiles()
        .filter((file) => !program.isSourceFileDefaultLibrary(file))
        .map((file) => file.fileName),
    ],
    warnings: environment ? [] : sources.flatMap((file) => emptyEnvironment(file, directory)),
    error: firstError(program, sources, directory),
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

function firstError(program: ts.Program, own: readonly ts.SourceFile[], directory: string): BuildError | null {
  const misplaced = own.flatMap((file) => workerImports(file, directory));
  if (misplaced.length > 0) {
    return new BuildError('a handler cannot import the worker: here the worker is tasker-wasm-host', misplaced);
  }
  const foreign = own.flatMap((file) =>
    foreignUses(file).map(
      ({ name, node }) =>
        `${location(file, node.getStart(file), directory)}: '${name}': ${FOREIGN[name.split('.')[0] as string]}`,
    ),
  );
  if (foreign.length > 0) {
    return new BuildError('a handler runs neither in Bun nor in Deno', foreign);
  }
  const diagnostics = ts.getPreEmitDiagnostics(program);
  return diagnostics.length === 0
    ? null
    : new BuildError(
        'the types do not fit',
        diagnostics.map((diagnostic) => render(diagnostic, directory)),
      );
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
