/** The command line: `tasker-componentize build <package directory>...` */

import { relative } from 'node:path';
import { build } from './build.js';
import { BuildError } from './build-error.js';

const USAGE = `Turns a TypeScript handler package into a WebAssembly component.

Usage: tasker-componentize build <package directory>...

Reads tasker.toml, package.json, template.yaml and src/, and writes into dist/ of the package:
  <name>.wasm            the component
  <name>.wasm.map        its source map
  <name>.manifest.json   what the host reads

A component whose inputs have not changed is not built again.
Exit codes: 0 built or up to date, 1 the build failed, 2 wrong usage.`;

async function main(args: readonly string[]): Promise<number> {
  const [verb, ...directories] = args;
  if (verb === '--help' || verb === '-h' || verb === 'help') {
    console.log(USAGE);
    return 0;
  }
  if (verb !== 'build' || directories.length === 0 || directories.some((argument) => argument.startsWith('-'))) {
    console.error(USAGE);
    return 2;
  }
  for (const directory of directories) {
    await buildOne(directory);
  }
  return 0;
}

async function buildOne(directory: string): Promise<void> {
  const started = performance.now();
  const { name, built, component, bytes, initialization } = await build(directory, (line) => console.error(line));
  const elapsed = performance.now() - started;
  if (built) {
    const size = `${(bytes / 1_000_000).toFixed(1)} MB`;
    console.log(`${name}: built ${relative('', component)} (${size}) in ${(elapsed / 1000).toFixed(1)} s`);
    console.log(`${name}: initialization is ${initialization.mode}: ${initialization.reason}`);
  } else {
    console.log(`${name}: up to date (${elapsed.toFixed(0)} ms)`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // Anything but a BuildError is a defect of this tool: its stack is for whoever mends it.
  console.error(error instanceof BuildError ? `error: ${error.render()}` : error);
  process.exitCode = 1;
}
