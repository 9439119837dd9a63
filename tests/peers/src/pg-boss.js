// @ts-check

import { createRequire } from 'node:module';
import PgBoss from 'pg-boss';

/** @import { Mode, Peer, Tally } from './measure.js' */

const QUEUE = 'flat';
/** Its own, since it is emptied: nobody's jobs are in it. */
const SCHEMA = 'peer_pg_boss';

const MODES = {
  single: { loops: 24, batchSize: 1 },
  batched: { loops: 8, batchSize: 100 },
};

/**
 * @param {string} url
 * @param {Mode} mode
 * @returns {Promise<Peer>}
 */
export async function open(url, mode) {
  const { loops, batchSize } = MODES[mode];
  // A connection for each loop; nothing that runs beside the jobs.
  const boss = new PgBoss({ connectionString: url, schema: SCHEMA, max: loops, schedule: false, supervise: false });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  await boss.createQueue(QUEUE);
  // It keeps what is done for half a day: without this, each measurement would have a larger table than the one before.
  await boss.clearStorage();
  const db = boss.getDb();

  /** @type {unknown} */
  let failure = null;
  /** For fetches, which take an error for an empty queue. */
  const watched = {
    /** @type {PgBoss.Db['executeSql']} */
    executeSql: (text, values) =>
      db.executeSql(text, values).catch((error) => {
        failure = error;
        throw error;
      }),
  };

  /**
   * Its own worker, `work()`, polls: it fetches twice a second at most, however much there is. Fetching without a pause is
   * the fastest that can be done with it.
   *
   * @param {Tally} tally
   */
  const loop = async (tally) => {
    for (;;) {
      const jobs = await boss.fetch(QUEUE, { batchSize, db: watched });
      if (failure !== null) {
        throw failure;
      }
      if (jobs.length === 0) {
        // The other loops have fetched the rest.
        return;
      }
      await Promise.all(jobs.map(async ({ id }) => tally.ran(id)));
      await boss.complete(
        QUEUE,
        jobs.map(({ id }) => id),
      );
    }
  };

  return {
    version: createRequire(import.meta.url)('pg-boss/package.json').version,

    add: (payloads) => boss.insert(payloads.map((data) => ({ name: QUEUE, data }))),

    async left() {
      const { rows } = await db.executeSql(
        `select count(*)::int as jobs from ${SCHEMA}.job where name = $1 and state <> 'completed'`,
        [QUEUE],
      );
      return rows[0].jobs;
    },

    connect: () => Promise.all(Array.from({ length: loops }, () => db.executeSql('select 1', []))),

    async work(tally) {
      await Promise.all(Array.from({ length: loops }, () => loop(tally)));
    },

    close: () => boss.stop(),
  };
}
