/** The process of `engine.ts`. Arguments: source, WIT directory, world, output. */

import { writeFile } from 'node:fs/promises';
import { adaptBindings } from './bindings.js';
import { withReservedMemory } from './reserve-memory.js';

const [sourcePath = '', witPath = '', worldName = '', output = ''] = process.argv.slice(2);

interface Splicer {
  spliceBindings(...args: unknown[]): { jsBindings: string };
}

/** The generator is one object, shared by all who import it, and not among the package's exports. */
async function adaptGenerator(): Promise<void> {
  const entry = import.meta.resolve('@bytecodealliance/componentize-js');
  const { splicer } = (await import(new URL('../lib/spidermonkey-embedding-splicer.js', entry).href)) as {
    splicer: Splicer;
  };
  const generate = splicer.spliceBindings.bind(splicer);
  splicer.spliceBindings = (...args) => {
    const generated = generate(...args);
    return { ...generated, jsBindings: adaptBindings(generated.jsBindings) };
  };
}

try {
  const { componentize } = await withReservedMemory(() => import('@bytecodealliance/componentize-js'));
  await adaptGenerator();
  const { component } = await componentize({ sourcePath, witPath, worldName });
  await writeFile(output, component);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
// The parent holds an IPC channel open, which would keep this process alive.
process.disconnect?.();
