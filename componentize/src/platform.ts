/** Node's modules as a component has them, the SDK's `platform/node/`, and what becomes of those it does not have. */

import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import type { Toolchain } from './toolchain.js';
import { INSTEAD_OF_ADDON, insteadOf } from './unsupported.js';

/** What decides which form of a part of the platform a bundle gets. */
export interface PlatformAsks {
  environment: boolean;
  mounts: boolean;
}

/** Packages that are only another way to what the platform has. */
const PACKAGES: Readonly<Record<string, string>> = { undici: 'undici.js', 'process/': 'node/process.js' };

/** As CommonJS asks for a module of Node: the function, class or object itself. */
const REQUIRED = 'tasker-required';
/** A module of Node with all the names it has there, for dependencies, which may import more than they use. */
const COMPLETE = 'tasker-complete';
/** A module that throws when something of it is called. */
const UNSUPPORTED = 'tasker-unsupported';

/** @param directory of the package, whose own files may not import what cannot work */
export function platform(directory: string, asks: PlatformAsks, toolchain: Toolchain): esbuild.Plugin {
  const root = platformRoot(toolchain);
  const isDependency = (importer: string) =>
    /[\\/]node_modules[\\/]/.test(importer) || !importer.startsWith(join(directory, '/'));

  const offered = (specifier: string): string | null => {
    const file = join(root, PACKAGES[specifier] ?? `node/${specifier.replace(/^node:/, '')}.js`);
    return existsSync(file) ? file : null;
  };

  return {
    name: 'tasker-platform',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(?:${specifiers().join('|')})$`) }, ({ path, kind, importer }) => {
        const file = offered(path);
        if (file === null) {
          return refuse(path, insteadOf(path.replace(/^node:/, '')), isDependency(importer));
        }
        if (kind === 'require-call') {
          return { path: file, namespace: REQUIRED };
        }
        return isDependency(importer) && !importer.startsWith(root) && !(path in PACKAGES)
          ? { path: file, namespace: COMPLETE, pluginData: path, sideEffects: false }
          : { path: file, sideEffects: false };
      });
      build.onResolve({ filter: /\.node$/ }, ({ path, importer }) =>
        refuse(path, INSTEAD_OF_ADDON, isDependency(importer)),
      );
      build.onResolve({ filter: /\/denied\/(environment|mounts)\.js$/ }, ({ path, resolveDir }) => {
        const isAsked = path.endsWith('environment.js') ? asks.environment : asks.mounts;
        return { path: join(resolveDir, isAsked ? path.replace('/denied/', '/granted/') : path), sideEffects: false };
      });
      build.onLoad({ filter: /.*/, namespace: REQUIRED }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)}).default;`,
        resolveDir: root,
      }));
      build.onLoad({ filter: /.*/, namespace: COMPLETE }, async ({ path, pluginData }) => ({
        contents: await completed(path, pluginData, root),
        resolveDir: root,
      }));
      build.onLoad({ filter: /.*/, namespace: UNSUPPORTED }, ({ path, pluginData }) => ({
        contents: `const { unsupportedModule } = require('./unsupported.js');
module.exports = unsupportedModule(${JSON.stringify(path)}, ${JSON.stringify(pluginData)});`,
        resolveDir: root,
      }));
    },
  };
}

function refuse(path: string, instead: string, isDependency: boolean): esbuild.OnResolveResult {
  const text = `'${path}' does not work in a component: ${instead}`;
  return isDependency
    ? { path, namespace: UNSUPPORTED, pluginData: instead, warnings: [{ text }] }
    : { errors: [{ text }] };
}

function specifiers(): string[] {
  const names = builtinModules.filter((name) => !name.startsWith('_') && !name.startsWith('node:'));
  // Some have no name but the one with the prefix.
  return ['node:[a-z_/]+', ...names, ...Object.keys(PACKAGES)];
}

/** The module with every name of Node's own: what it lacks throws when it is called. */
async function completed(file: string, specifier: string, root: string): Promise<string> {
  const has = await exportedNames(file);
  const name = specifier.replace(/^node:/, '');
  const missing = Object.keys(await import(`node:${name}`)).filter((key) => !has.has(key) && /^[\w$]+$/.test(key));
  return [
    `export * from ${JSON.stringify(file)};`,
    `export { default } from ${JSON.stringify(file)};`,
    `import { unsupported } from ${JSON.stringify(join(root, 'unsupported.js'))};`,
    ...missing.map(
      (key) =>
        `export const ${key} = /* @__PURE__ */ unsupported(${JSON.stringify(`${specifier}#${key}`)}, ${JSON.stringify(
          insteadOf(name),
        )});`,
    ),
  ].join('\n');
}

async function exportedNames(file: string): Promise<Set<string>> {
  const { metafile } = await esbuild.build({
    entryPoints: [file],
    bundle: true,
    packages: 'external',
    write: false,
    metafile: true,
    format: 'esm',
    outfile: 'names.js',
    logLevel: 'silent',
  });
  const [output] = Object.values(metafile.outputs);
  return new Set(output?.exports);
}

function platformRoot(toolchain: Toolchain): string {
  return join(toolchain.sdk.root, 'dist', 'platform');
}
