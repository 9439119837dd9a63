// @ts-check

import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';

/** @import { Mode, Peer } from './measure.js' */

const TASK = 'flat';
/** Its own, since it is emptied: nobody's jobs are in it. */
const SCHEMA = 'peer_graphile_worker';
const CONCURRENCY = 24;

const MODES = {
  single: { concurrentJobs: CONCURRENCY },
  // What its documentation has for many short jobs.
  batched: {
    concurrentJobs: CONCURRENCY,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

/**
 * @param {string} url
 * @param {Mode} mode
 * @returns {Promise<Peer>}
 */
export async function open(url, mode) {
  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** @type {Promise<never>} */
  const failure = new Promise((_, reject) => {
    fail = reject;
  });

  // As many connections as its documentation advises.
  const pool = new pg.Pool({ connectionString: url, max: CONCURRENCY + 2 });
  pool.on('error', fail);
  pool.on('connect', (client) => client.on('error', fail));

  // By default it writes a line for every job. It goes on after errors, which a measurement must not.
  const logger = new Logger(() => (level, message) => {
    if (level === 'error') {
      fail(new Error(message));
    } else if (level === 'warning') {
      console.error(message);
    }
  });
  const preset = { worker: { ...MODES[mode], schema: SCHEMA, logger } };

  const utils = await makeWorkerUtils({ pgPool: pool, preset });
  await pool.query(`truncate ${SCHEMA}._private_jobs`);

  const left = async () => {
    const { rows } = await pool.query(`select count(*)::int as jobs from ${SCHEMA}.jobs`);
    return rows[0].jobs;
  };

  /** @type {import('graphile-worker').Runner | undefined} */
  let runner;
  return {
    version: createRequire(import.meta.url)('graphile-worker/package.json').version,

    add: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload }))),

    left,

    connect: () => Promise.all(Array.from({ length: CONCURRENCY + 2 }, () => pool.query('select 1'))),

    async work(tally) {
      const taskList = {
        /** @type {import('graphile-worker').Task} */
        [TASK]: async (_payload, { job }) => tally.ran(job.id),
      };
      runner = await run({ pgPool: pool, preset, taskList, parsedCronItems: [], noHandleSignals: true });
      await Promise.race([tally.finished, failure]);
      // It does not wait until a job is deleted, and has no event for it: the last of them are on their way.
      while ((await Promise.race([left(), failure])) > 0) {
        await sleep(1);
      }
    },

    async close() {
      await runner?.stop();
      await utils.release();
      await pool.end();
    },
  };
}
