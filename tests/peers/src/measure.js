// @ts-check

/** What is measured, the same for every peer. */

/** @typedef {'single' | 'batched'} Mode */

/**
 * A queue that is empty when it is opened.
 *
 * @typedef {object} Peer
 * @property {string} version
 * @property {(payloads: object[]) => Promise<unknown>} add puts a job for each into the queue
 * @property {() => Promise<number>} left how many jobs in the database are not done
 * @property {() => Promise<unknown>} connect opens the connections of the worker
 * @property {(tally: Tally) => Promise<void>} work starts the worker, and waits until the database has every job as done
 * @property {() => Promise<void>} close
 */

/** Which jobs ran; a handler does nothing but to say so. */
export class Tally {
  /** @type {Set<string>} */
  #ids = new Set();
  #jobs;
  /** @type {() => void} */
  #finish = () => {};

  /** @param {number} jobs */
  constructor(jobs) {
    this.#jobs = jobs;
    /**
     * Settles when as many have run as there are.
     *
     * @type {Promise<void>}
     */
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get count() {
    return this.#ids.size;
  }

  /** @param {string} id */
  ran(id) {
    if (this.#ids.has(id)) {
      throw new Error(`job ${id} ran twice`);
    }
    this.#ids.add(id);
    if (this.#ids.size === this.#jobs) {
      this.#finish();
    }
  }
}

const ADDED_AT_ONCE = 1000;

/**
 * @param {Peer} peer is closed
 * @param {number} jobs
 */
export async function measure(peer, jobs) {
  const enqueueSeconds = await seconds(async () => {
    for (let added = 0; added < jobs; added += ADDED_AT_ONCE) {
      await peer.add(Array.from({ length: Math.min(ADDED_AT_ONCE, jobs - added) }, () => ({ even_number: 6 })));
    }
  });
  expect('jobs in the queue', await peer.left(), jobs);

  // A worker that has been running for a while has them open.
  await peer.connect();
  const tally = new Tally(jobs);
  const workSeconds = await seconds(() => peer.work(tally));

  expect('jobs left', await peer.left(), 0);
  await peer.close();
  // Only now can no further one start.
  expect('jobs that ran', tally.count, jobs);
  return { version: peer.version, times: { seconds: workSeconds, enqueue_seconds: enqueueSeconds } };
}

/** @param {() => Promise<unknown>} work */
async function seconds(work) {
  const started = performance.now();
  await work();
  return Math.round(performance.now() - started) / 1000;
}

/**
 * @param {string} what
 * @param {number} actual
 * @param {number} expected
 */
function expect(what, actual, expected) {
  if (actual !== expected) {
    throw new Error(`${what}: ${actual} instead of ${expected}`);
  }
}
