// @ts-check

/** The command line: one measurement, one line of JSON. */

import { measure } from './measure.js';

const USAGE = `Measures another job queue for PostgreSQL: how long it takes to do flat jobs that are in its queue already.

Usage: node tests/peers/src/main.js <peer> <mode> <jobs> <url>

  <peer>  graphile-worker or pg-boss
  <mode>  single: each job is fetched and completed by itself; batched: many at once
  <jobs>  how many
  <url>   of a PostgreSQL database: postgres://... What earlier measurements left in it is deleted.

Exit codes: 0 measured, 1 failed, 2 wrong usage.`;

/** A module loads its peer: only the one that is measured is in the process. */
const PEERS = new Map([
  ['graphile-worker', () => import('./graphile-worker.js')],
  ['pg-boss', () => import('./pg-boss.js')],
]);

/** No measurement takes this long: something waits for what does not come. */
const TIMEOUT_MINUTES = 10;

/** @param {readonly string[]} args */
async function main(args) {
  const [name = '', mode, count = '', url = ''] = args;
  const load = PEERS.get(name);
  const jobs = /^[1-9]\d*$/.test(count) ? Number(count) : null;
  const understood = args.length === 4 && load && (mode === 'single' || mode === 'batched') && jobs !== null;
  if (!understood || !/^postgres(ql)?:\/\//.test(url)) {
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }
  const { open } = await load();
  const measured = await measure(await open(url, mode), jobs);
  console.log(JSON.stringify({ peer: name, version: measured.version, mode, jobs, ...measured.times }));
}

/** @param {unknown} error */
function fail(error) {
  console.error(`the measurement failed: ${describe(error)}`);
  // Connections and workers would keep the process alive.
  process.exit(1);
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function describe(error) {
  // Of a host name with several addresses, none of which answers; it has no message of its own.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(describe).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

// Also what fails in a peer where nothing waits for it.
process.on('uncaughtException', fail);
setTimeout(() => fail(new Error(`no end after ${TIMEOUT_MINUTES} minutes`)), TIMEOUT_MINUTES * 60_000).unref();
main(process.argv.slice(2)).catch(fail);
