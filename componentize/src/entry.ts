/** The module a bundle starts from, in one of two forms, and the module that lists the package's modules. */

import type { HandlerDescriptor } from './manifest.js';
import type { Sources } from './sources.js';

/** Specifier of the generated module that imports the package's modules. */
export const PACKAGE_MODULE = 'tasker-package';

/** The package's modules are initialised with the bundle. */
export function snapshotEntry(): string {
  return [
    `import { prewarm, snapshotComponent } from '@tasker-wasm/guest/component';`,
    `import { modules } from '${PACKAGE_MODULE}';`,
    `export const handlers = snapshotComponent(modules);`,
    `await prewarm();`,
  ].join('\n');
}

/** The package's modules are initialised in the first call. */
export function lazyEntry(descriptors: readonly HandlerDescriptor[]): string {
  return [
    `import { lazyComponent, prewarm } from '@tasker-wasm/guest/component';`,
    `export const handlers = lazyComponent(${JSON.stringify(descriptors)}, () => import('${PACKAGE_MODULE}'));`,
    `await prewarm();`,
  ].join('\n');
}

export function packageModule(sources: Sources): string {
  const specifiers = [...new Set([...sources.discover, ...Object.values(sources.table)])];
  const name = (specifier: string) => `module${specifiers.indexOf(specifier)}`;
  const table = Object.entries(sources.table).map(
    ([callable, module]) => `${JSON.stringify(callable)}: ${name(module)}`,
  );
  return [
    ...specifiers.map((specifier) => `import * as ${name(specifier)} from ${JSON.stringify(specifier)};`),
    `export const modules = { discover: [${sources.discover.map(name).join(', ')}], table: { ${table.join(', ')} } };`,
  ].join('\n');
}
