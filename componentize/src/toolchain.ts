/** Where the guest SDK, the WIT package and the engine are, and which versions of them build a component. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The WIT worlds packages are built for; the fuller one where they carry publishers or subscribers of events. */
export type World = 'handler' | 'full-handler';

const require = createRequire(import.meta.url);
const toolRoot = fileURLToPath(new URL('..', import.meta.url));

export interface Toolchain {
  sdk: { name: string; version: string; root: string };
  engine: { name: string; componentizeJs: string };
  tool: { version: string; root: string };
  wit: string;
}

export function findToolchain(): Toolchain {
  const sdkRoot = dirname(require.resolve('@tasker-wasm/guest/package.json'));
  const sdk = readVersion(sdkRoot);
  return {
    sdk: { ...sdk, root: sdkRoot },
    engine: { name: 'starlingmonkey', componentizeJs: readVersion(componentizeJsRoot()).version },
    tool: { version: readVersion(toolRoot).version, root: toolRoot },
    wit: witDirectory(),
  };
}

/** Files of the toolchain that decide what comes out of a build. */
export function toolchainFiles(toolchain: Toolchain): string[] {
  return [
    ...filesIn(join(toolchain.sdk.root, 'dist'), '.js'),
    ...filesIn(join(toolchain.tool.root, 'dist'), '.js'),
    ...filesIn(toolchain.wit, '.wit'),
  ];
}

/** The published package carries the WIT files; in the repository they stand in its root. */
function witDirectory(): string {
  const candidates = [join(toolRoot, '..', 'wit'), join(toolRoot, 'wit')];
  const found = candidates.find((directory) => existsSync(join(directory, 'worlds.wit')));
  if (found === undefined) {
    throw new Error(`the WIT package is missing: none of ${candidates.join(', ')} has a worlds.wit`);
  }
  return found;
}

/** The package exports no package.json, so it is found from its entry. */
function componentizeJsRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.resolve('@bytecodealliance/componentize-js')));
  while (!existsSync(join(directory, 'package.json'))) {
    directory = dirname(directory);
  }
  return directory;
}

function readVersion(root: string): { name: string; version: string } {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}

function filesIn(directory: string, extension: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(directory, name));
}
