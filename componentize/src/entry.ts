/** The module a bundle starts from, in one of two forms, and the module that lists the package's modules. */

import type { HandlerDescriptor, PublisherDescriptor, Subscription } from './manifest.js';
import type { Initialization } from './package-config.js';
import type { Sources } from './sources.js';
import type { World } from './toolchain.js';

/** Specifier of the generated module that imports the package's modules. */
export const PACKAGE_MODULE = 'tasker-package';

/** What the exports of a component say they hold. */
export interface Contents {
  handlers: readonly HandlerDescriptor[];
  publishers: readonly PublisherDescriptor[];
  subscriptions: readonly Subscription[];
}

/**
 * The package's modules are initialised with the bundle.
 *
 * @param granted modules of the SDK that the package's grants bring
 */
export function snapshotEntry(world: World, granted: readonly string[] = []): string {
  return entry(world, granted, 'snapshot', () => 'modules', `import { modules } from '${PACKAGE_MODULE}';`);
}

/** The package's modules are initialised in the first call. */
export function lazyEntry(world: World, granted: readonly string[], contents: Contents): string {
  return entry(
    world,
    granted,
    'lazy',
    (held) => `${JSON.stringify(contents[held])}, load`,
    `const load = () => import('${PACKAGE_MODULE}');`,
  );
}

function entry(
  world: World,
  granted: readonly string[],
  mode: Initialization,
  from: (held: keyof Contents) => string,
  modules: string,
): string {
  const exported: Array<[name: string, maker: string, held: keyof Contents]> = [
    ['handlers', `${mode}Component`, 'handlers'],
  ];
  if (world === 'full-handler') {
    exported.push(
      ['publishers', `${mode}Publishers`, 'publishers'],
      ['subscribers', `${mode}Subscribers`, 'subscriptions'],
    );
  }
  return [
    // First: what the package's modules find when they are initialised.
    ...granted.map((module) => `import '${module}';`),
    `import { ${['prewarm', ...exported.map(([, maker]) => maker)].join(', ')} } from '@tasker-wasm/guest/component';`,
    modules,
    ...exported.map(([name, maker, held]) => `export const ${name} = ${maker}(${from(held)});`),
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
    'export const modules = {',
    `  discover: [${sources.discover.map(name).join(', ')}],`,
    `  table: { ${table.join(', ')} },`,
    `  resolved: ${JSON.stringify(sources.resolved)},`,
    '};',
  ].join('\n');
}
