/**
 * The interfaces a package's grants add to its world, and their functions. The worlds of `wit/` import what every
 * handler has; what has to be granted is imported only where it is asked for, so that a host can tell from the
 * component what it needs.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Asks } from './grants.js';
import type { World } from './toolchain.js';

interface AskedInterface {
  /** As handlers import it. */
  specifier: string;
  /** In the WIT directory. */
  file: string;
  /** What to write under `[grants]`. */
  ask: string;
  /** The module of the SDK that makes use of it. */
  module?: string;
  isAsked(asks: Asks): boolean;
}

/** The version the engine imports: one component, one version. */
const WASI = '0.2.12';

const INTERFACES: readonly AskedInterface[] = [
  {
    specifier: 'tasker:handler/client@0.1.0',
    file: 'client.wit',
    ask: 'client = true',
    module: '@tasker-wasm/guest/component/host-client',
    isAsked: ({ client }) => client,
  },
  {
    specifier: 'tasker:handler/events@0.1.0',
    file: 'events.wit',
    ask: 'events = true',
    module: '@tasker-wasm/guest/component/host-events',
    isAsked: ({ events }) => events,
  },
  {
    specifier: `wasi:cli/environment@${WASI}`,
    file: 'deps/cli/package.wit',
    ask: 'env = ["REGION"]',
    isAsked: asksEnvironment,
  },
  ...['types', 'preopens'].map((name) => ({
    specifier: `wasi:filesystem/${name}@${WASI}`,
    file: 'deps/filesystem/package.wit',
    ask: 'mounts = [{ path = "/data" }]',
    isAsked: ({ mounts }: Asks) => mounts.length > 0,
  })),
];

export function asksEnvironment({ env, secrets }: Asks): boolean {
  return env.length + secrets.length > 0;
}

/** Specifiers of the interfaces a package asks for. */
export function askedImports(asks: Asks | null): string[] {
  return asks === null ? [] : INTERFACES.filter(({ isAsked }) => isAsked(asks)).map(({ specifier }) => specifier);
}

/** Modules of the SDK that a package's grants bring, to be imported for what they do. */
export function grantedModules(asks: Asks | null): string[] {
  return asks === null
    ? []
    : INTERFACES.flatMap(({ isAsked, module }) => (module !== undefined && isAsked(asks) ? [module] : []));
}

/** What has to be written under `[grants]` for a module to be there; undefined when no grant brings it. */
export function askFor(specifier: string): string | undefined {
  return INTERFACES.find((candidate) => candidate.specifier === specifier)?.ask;
}

/** Name of the world that {@link askedWorld} writes. */
export const ASKED_WORLD = 'asked';

/** The contract's own interfaces, which its worlds call by their bare names. */
const OWN = /^tasker:handler\/([\w-]+)@.*$/;

/** A world with the imports a package asks for. */
export function askedWorld(world: World, imports: readonly string[]): string {
  const lines = ['package tasker:handler@0.1.0;', '', `world ${ASKED_WORLD} {`, `    include ${world};`];
  return [...lines, ...imports.map((specifier) => `    import ${specifier.replace(OWN, '$1')};`), '}', ''].join('\n');
}

/** What the modules of these imports export, by the names JavaScript has for them. */
export function importedNames(imports: readonly string[], wit: string): Record<string, string[]> {
  const asked = INTERFACES.filter(({ specifier }) => imports.includes(specifier));
  return Object.fromEntries(
    asked.map(({ specifier, file }) => {
      const [, name = ''] = /\/([\w-]+)@/.exec(specifier) ?? [];
      return [specifier, exportedNames(readFileSync(join(wit, file), 'utf8'), name)];
    }),
  );
}

/** Functions and resources of an interface, found by the form of their lines: WIT allows no other. */
export function exportedNames(wit: string, name: string): string[] {
  const lines = wit.split('\n').map((line) => line.replace(/\/\/.*/, '').trim());
  const start = lines.findIndex((line) => new RegExp(`^interface ${name}\\s*\\{`).test(line));
  if (start < 0) {
    throw new Error(`the WIT package has no interface ${name}`);
  }
  const names: string[] = [];
  let depth = 0;
  for (const line of lines.slice(start)) {
    const [, func] = /^%?([a-z][\w-]*):\s*(?:async\s+)?func\b/.exec(line) ?? [];
    const [, resource] = /^resource\s+%?([a-z][\w-]*)/.exec(line) ?? [];
    if (depth === 1 && func !== undefined) {
      names.push(camelCase(func));
    } else if (depth === 1 && resource !== undefined) {
      names.push(camelCase(`-${resource}`));
    }
    depth += (line.match(/\{/g)?.length ?? 0) - (line.match(/\}/g)?.length ?? 0);
    if (depth === 0) {
      break;
    }
  }
  return names;
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
