/**
 * Finds out what the package's modules do when they load, by loading them: the bundle runs in a thread with the
 * component's globals, where whatever must not be frozen into a snapshot leaves a trace.
 */

import { Worker } from 'node:worker_threads';
import { BuildError } from './build-error.js';
import type { Bundle } from './bundle.js';
import type { Contents } from './entry.js';
import { locateStack } from './locate.js';
import type { ProbeReport, ProbeRequest } from './probe-worker.js';

/** A module that takes longer to load would take as long in every step. */
const TIMEOUT_MS = 20_000;
const MEMORY_MB = 512;

export interface ProbeResult extends Contents {
  /** Each impure thing the top level does: `Math.random() (src/ids.ts:3:12)`. Empty when it is pure. */
  impurities: string[];
}

/**
 * @param bundle one of the world `full-handler`
 * @param imports what the modules export that the package's grants bring
 */
export async function probe(bundle: Bundle, imports: Record<string, string[]> = {}): Promise<ProbeResult> {
  const report = await run(bundle, imports);
  if (report.error !== null) {
    const place = locateStack(bundle, report.error.stack);
    throw new BuildError('the package fails when its modules load', [
      `${place === null ? '' : `${place}: `}${report.error.message}`,
    ]);
  }
  const impurities = report.touches.map(({ what, stack }) => {
    const place = locateStack(bundle, stack);
    return place === null ? what : `${what} (${place})`;
  });
  const { handlers, publishers, subscriptions } = report;
  return { handlers, publishers, subscriptions, impurities: [...new Set(impurities)] };
}

function run(bundle: Bundle, imports: Record<string, string[]>): Promise<ProbeReport> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./probe-worker.js', import.meta.url), {
      workerData: { fileName: bundle.fileName, code: bundle.code, imports } satisfies ProbeRequest,
      execArgv: ['--experimental-vm-modules', '--no-warnings'],
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    });
    const timer = setTimeout(() => {
      fail(`the package's modules do not finish loading within ${TIMEOUT_MS / 1000} s`);
    }, TIMEOUT_MS);
    const fail = (message: string) => {
      clearTimeout(timer);
      void worker.terminate();
      reject(new BuildError(message, ['look for a loop or an await at the top level of a module']));
    };
    worker.once('message', (report: ProbeReport) => {
      clearTimeout(timer);
      void worker.terminate();
      resolve(report);
    });
    worker.once('error', (error) => fail(`loading the package's modules failed: ${error.message}`));
    worker.once('exit', () => fail("the package's modules never finish loading"));
  });
}
