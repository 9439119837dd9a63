/** One command for several packages: all are done, and an error of one does not keep the others from it. */

import { BuildError } from './build-error.js';
import { Slots } from './jobs.js';
import { whyNoPackage } from './named-package.js';

/** Says what is wrong with a package as a person reads it. Anything but a BuildError is a defect: its stack is for whoever mends it. */
export function complain(error: unknown, path: string | null): void {
  const where = path === null ? '' : ` in ${path}`;
  console.error(error instanceof BuildError ? `error${where}: ${error.render()}` : error);
}

/** The packages among what was named; of one name alone, no question is asked. */
export function packagesAmong(paths: readonly string[]): string[] {
  const unique = [...new Set(paths.map((path) => path.replace(/(?<=.)\/+$/, '')))];
  return unique.filter((path) => {
    const reason = unique.length > 1 ? whyNoPackage(path) : null;
    if (reason !== null) {
      console.error(`${path}: left out: ${reason}`);
    }
    return reason === null;
  });
}

/** Returns the exit code. */
export async function forEachPackage(
  paths: readonly string[],
  jobs: number,
  interrupted: AbortSignal,
  work: (path: string) => Promise<void>,
): Promise<number> {
  const packages = packagesAmong(paths);
  const slots = new Slots(jobs);
  let code = 0;
  await Promise.all(
    packages.map((path) =>
      slots.use(async () => {
        try {
          interrupted.throwIfAborted();
          await work(path);
        } catch (error) {
          code = 1;
          if (!interrupted.aborted) {
            complain(error, paths.length > 1 ? path : null);
          }
        }
      }),
    ),
  );
  return code;
}
