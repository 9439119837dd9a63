/** `tasker-componentize watch`: builds, and builds again whenever an input changes. An error waits to be mended. */

import { build } from './build.js';
import { Slots } from './jobs.js';
import { namedPackage } from './named-package.js';
import { complain, packagesAmong } from './packages.js';
import { built, seconds } from './summary.js';
import { WatchedInputs } from './watched-inputs.js';

/** Changed files that are named; of many the rest is counted. */
const MAX_NAMED = 3;

/** Returns the exit code, once it is interrupted. */
export async function watch(paths: readonly string[], jobs: number, interrupted: AbortSignal): Promise<number> {
  const packages = packagesAmong(paths);
  const slots = new Slots(jobs);
  const single = packages.length === 1;
  try {
    await Promise.all(packages.map((path) => watchOne(path, single ? null : path, slots, interrupted)));
    return 0;
  } catch (error) {
    complain(error, null);
    return 1;
  }
}

async function watchOne(path: string, label: string | null, slots: Slots, interrupted: AbortSignal): Promise<void> {
  const inputs = new WatchedInputs(namedPackage(path));
  try {
    while (!interrupted.aborted) {
      await slots.use(() => buildOne(path, label, inputs, interrupted));
      const changed = await inputs.changed(interrupted);
      if (changed.length > 0) {
        const more = changed.length > MAX_NAMED ? ` and ${changed.length - MAX_NAMED} more` : '';
        console.log(`${label ?? 'changed'}: ${changed.slice(0, MAX_NAMED).join(', ')}${more}`);
      }
    }
  } finally {
    inputs.close();
  }
}

async function buildOne(
  path: string,
  label: string | null,
  inputs: WatchedInputs,
  interrupted: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const reads = new Set<string>();
  const follow = inputs.mark();
  try {
    const result = await build(path, (line) => console.error(line), { signal: interrupted, reads });
    console.log(built(result, seconds(started)));
  } catch (error) {
    if (!interrupted.aborted) {
      complain(error, label);
      console.error(`not built (${seconds(started)}); waiting for a change`);
    }
  } finally {
    follow(reads);
  }
}
