/** One JavaScript file of a package, the SDK and everything they import, with the source map of its lines. */

import { join, relative, resolve } from 'node:path';
import * as esbuild from 'esbuild';
import { BuildError } from './build-error.js';
import { PACKAGE_MODULE } from './entry.js';
import { type PlatformAsks, platform } from './platform.js';
import { markers, missingGlobals } from './platform-globals.js';
import { LOGGER_IMPORT, SDK_IMPORT, sdkModule } from './sdk-names.js';
import { type Part, partsOf } from './size.js';
import type { Toolchain } from './toolchain.js';

export interface Bundle {
  /** File name of the code, as it appears in stack traces. */
  fileName: string;
  code: string;
  /** Source map v3; sources are relative to the package, those of the SDK start with its name. */
  map: SourceMap;
  /** Absolute paths of the files that went in. */
  inputs: string[];
  /** What the code is made of. */
  parts: Part[];
  /** What its author may want to know. */
  warnings: string[];
}

export interface SourceMap {
  version: 3;
  file: string;
  sources: string[];
  names: string[];
  mappings: string;
}

export interface BundleRequest {
  directory: string;
  name: string;
  entry: string;
  packageModule: string;
  toolchain: Toolchain;
  asks?: PlatformAsks;
}

/** Bundles again with what the first attempt was found to use, as long as that uses more. */
export async function bundle(request: BundleRequest): Promise<Bundle> {
  for (let globals: string[] = []; ; ) {
    const made = await bundleWith(request, globals);
    const missing = missingGlobals(made.code, globals);
    if (missing.length === 0) {
      return lowered(made);
    }
    globals = [...globals, ...missing];
  }
}

/** Few bundles need it, and it brings the compiler, which takes half a second to load. */
async function lowered(made: Bundle): Promise<Bundle> {
  if (!/\\p\{/i.test(made.code)) {
    return made;
  }
  const { lowerUnicodeProperties } = await import('./unicode-properties.js');
  return lowerUnicodeProperties(made);
}

/** The first imports of the entry, so that every module finds these globals when it is initialised. */
function installed(globals: readonly string[]): string {
  return globals.map((name) => `import '@tasker-wasm/guest/platform/globals/${name}';\n`).join('');
}

async function bundleWith(request: BundleRequest, globals: readonly string[]): Promise<Bundle> {
  const { directory, name, entry, toolchain, asks = { environment: false, mounts: false } } = request;
  const fileName = `${name}.js`;
  const result = await esbuild
    .build({
      stdin: { contents: installed(globals) + entry, resolveDir: directory, sourcefile: 'tasker-entry.js' },
      absWorkingDir: directory,
      outfile: fileName,
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      // A component is more like a worker of the web than like Node: libraries that tell them apart then use `fetch`.
      platform: 'browser',
      conditions: ['worker', 'module'],
      target: 'es2024',
      external: ['tasker:*', 'wasi:*'],
      sourcemap: 'external',
      sourcesContent: false,
      // A class keeps its name when two modules have one of the same name: the name becomes the error type.
      keepNames: true,
      legalComments: 'none',
      charset: 'utf8',
      logLevel: 'silent',
      // A package's own compiler settings are for its type check.
      tsconfigRaw: { compilerOptions: { target: 'ES2022', experimentalDecorators: false } },
      define: markers(globals),
      plugins: [sdk(toolchain), platform(directory, asks, toolchain), generated(request)],
    })
    .catch((error: unknown) => {
      throw isBuildFailure(error) ? new BuildError('bundling failed', error.errors.map(render)) : error;
    });
  const output = (suffix: string) => {
    const file = result.outputFiles.find((candidate) => candidate.path.endsWith(suffix));
    if (file === undefined) {
      throw new Error(`esbuild wrote no ${suffix}`);
    }
    return file.text;
  };
  const map = JSON.parse(output(`${fileName}.map`)) as SourceMap;
  return {
    fileName,
    code: output(fileName),
    map: { ...map, file: fileName, sources: map.sources.map((source) => sourceName(source, directory, toolchain)) },
    inputs: Object.keys(result.metafile.inputs)
      // What a package leaves out for browsers is no file.
      .filter((input) => !/^(<|\(disabled\):|tasker-\w+:|tasker-entry)/.test(input))
      .map((input) => resolve(directory, input)),
    parts: partsOf(result.metafile, request),
    warnings: result.warnings.filter(({ pluginName }) => pluginName !== '').map(render),
  };
}

function sdk(toolchain: Toolchain): esbuild.Plugin {
  return {
    name: 'tasker-sdk',
    setup(build) {
      for (const filter of [SDK_IMPORT, LOGGER_IMPORT]) {
        build.onResolve({ filter }, ({ path }) => {
          const { module, sideEffects } = sdkModule(path);
          return { path: join(toolchain.sdk.root, 'dist', `${module}.js`), sideEffects };
        });
      }
    },
  };
}

function generated({ directory, packageModule }: BundleRequest): esbuild.Plugin {
  return {
    name: 'tasker-package',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${PACKAGE_MODULE}$`) }, ({ path }) => ({
        path,
        namespace: PACKAGE_MODULE,
      }));
      build.onLoad({ filter: /.*/, namespace: PACKAGE_MODULE }, () => ({
        contents: packageModule,
        resolveDir: directory,
        loader: 'js',
      }));
    },
  };
}

/** Sources come relative to the output file, which stands in the package's root. */
function sourceName(source: string, directory: string, toolchain: Toolchain): string {
  const inSdk = relative(toolchain.sdk.root, resolve(directory, source));
  return inSdk.startsWith('..') ? source : `@tasker-wasm/guest/${inSdk.replaceAll('\\', '/')}`;
}

/** esbuild's way to say that a module of the platform lacks a name, which its author calls otherwise. */
const MISSING_NAME = /No matching export in ".*\/platform\/node\/(.+)\.js" for import "(.+)"/;

function render(message: esbuild.Message): string {
  const { location } = message;
  const text = message.text.replace(MISSING_NAME, "what a component has of 'node:$1' is without '$2'");
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

function isBuildFailure(error: unknown): error is esbuild.BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<esbuild.BuildFailure>).errors);
}
