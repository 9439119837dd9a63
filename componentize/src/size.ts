/** What a bundle is made of: bytes of code by package. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Metafile } from 'esbuild';
import type { BundleRequest } from './bundle.js';

/** One package's share of a bundle. */
export interface Part {
  /** Of the npm package; that of the component for its own modules. */
  name: string;
  bytes: number;
}

const SDK = '@tasker-wasm/guest';

/** Largest first. */
export function partsOf({ outputs }: Metafile, { directory, name, toolchain }: BundleRequest): Part[] {
  const sizes = new Map<string, number>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const part = partOf(path);
      sizes.set(part, (sizes.get(part) ?? 0) + bytesInOutput);
    }
  }
  return [...sizes]
    .map(([part, bytes]) => ({ name: part, bytes }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));

  function partOf(path: string): string {
    // Generated modules have a namespace for a path, and call the SDK.
    if (/^(<|tasker-)/.test(path)) {
      return SDK;
    }
    const file = resolve(directory, path);
    if (file.startsWith(`${toolchain.sdk.root}/`)) {
      return SDK;
    }
    const [, installed] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file) ?? [];
    return installed ?? (file.startsWith(`${directory}/`) ? name : (packageAround(file) ?? name));
  }
}

/** The package a file outside belongs to, one that npm has linked. */
function packageAround(file: string): string | undefined {
  for (let directory = dirname(file); directory !== dirname(directory); directory = dirname(directory)) {
    const manifest = join(directory, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8'));
      return typeof name === 'string' ? name : undefined;
    }
  }
  return undefined;
}
