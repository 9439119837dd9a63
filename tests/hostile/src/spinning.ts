/** Handlers that never stop computing, in every place where a guest's code or the engine's own can run. */

import { cancellationRequested, remainingMs } from 'tasker:handler/execution@0.1.0';
import { logInfo } from '@tasker-systems/tasker';
import { done, hostile } from './handler.js';

function spin(): never {
  for (;;) {}
}

/** Loops without ever giving control away. */
export const Spin = hostile('spin', spin);

/** Gives control to the job queue all the time, and takes it back. */
export const SpinMicrotasks = hostile('spin_microtasks', async () => {
  for (;;) {
    await null;
  }
});

/** A promise that follows a promise that follows a promise. */
export const SpinPromises = hostile('spin_promises', () => {
  const follow = (): PromiseLike<unknown> => ({
    // biome-ignore lint/suspicious/noThenProperty: that is the trick
    then: ((resolve: (value: unknown) => void) => resolve(follow())) as PromiseLike<unknown>['then'],
  });
  return follow();
});

/** A thenable that loops when it is awaited. */
export const SpinThen = hostile('spin_then', () => ({
  // biome-ignore lint/suspicious/noThenProperty: that is the trick
  then: spin,
}));

/** Timers of no delay, one after the other. */
export const SpinTimers = hostile('spin_timers', async () => {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
});

/** Thousands of intervals that all fire all the time. */
export const TimerStorm = hostile('timer_storm', () => {
  for (let timer = 0; timer < 5_000; timer += 1) {
    setInterval(() => {}, 0);
  }
  return new Promise(() => {});
});

/** A regular expression that backtracks exponentially. */
export const SpinRegex = hostile('spin_regex', () => done({ matches: /^(a+)+$/.test(`${'a'.repeat(60)}!`) }));

/** One comparison of strings after the other, each long and in native code. */
export const SpinString = hostile('spin_string', () => {
  const hay = 'a'.repeat(1 << 19);
  const needle = `${'a'.repeat(1 << 18)}b`;
  for (;;) {
    hay.includes(needle);
  }
});

/** A number of millions of digits, a single operation of the language. */
export const SpinBigInt = hostile('spin_bigint', () => {
  let power = 3n;
  for (;;) {
    power = (power * power * power) % (1n << 100_000n);
  }
});

/** Loops in the `toJSON` of its result. */
export const SpinInToJson = hostile('spin_in_to_json', () => done({ value: { toJSON: spin } }));

/** A result with four billion elements, none of which exists. */
export const SpinInStringify = hostile('spin_in_stringify', () =>
  done({ list: new Proxy([], { get: (_, key) => (key === 'length' ? 2 ** 32 - 1 : undefined) }) }),
);

/** Loops in the reviver of `JSON.parse`. */
export const SpinInReviver = hostile('spin_in_reviver', () => JSON.parse('[1]', spin));

/** Loops in a getter of what it returns, which the SDK reads. */
export const SpinInGetter = hostile('spin_in_getter', () => ({
  get success() {
    return spin();
  },
}));

/** Loops in a getter of what it throws. */
export const SpinInThrown = hostile('spin_in_thrown', () => {
  throw {
    get message() {
      return spin();
    },
  };
});

/** An endless generator. */
export const SpinInGenerator = hostile('spin_in_generator', () => {
  const endless = (function* () {
    for (;;) {
      yield 1;
    }
  })();
  let sum = 0;
  for (const one of endless) {
    sum += one;
  }
  return done({ sum });
});

/** Loops in the comparison of a sort. */
export const SpinInSort = hostile('spin_in_sort', () => [2, 1].sort(spin));

/** Loops in a proxy's trap, at every look. */
export const SpinInProxy = hostile('spin_in_proxy', () => new Proxy({}, { get: spin, has: spin, ownKeys: spin }));

/** Calls the host's log without end. */
export const SpinInLog = hostile('spin_in_log', () => {
  for (;;) {
    logInfo('again');
  }
});

/** Asks the host for random numbers without end. */
export const SpinInRandom = hostile('spin_in_random', () => {
  const numbers = new Uint8Array(65_536);
  for (;;) {
    crypto.getRandomValues(numbers);
  }
});

/** Asks the host for the time without end. */
export const SpinInClock = hostile('spin_in_clock', () => {
  for (;;) {
    Date.now();
  }
});

/** Asks the host how long it may go on, and goes on. */
export const SpinInRemaining = hostile('spin_in_remaining', () => {
  for (;;) {
    remainingMs();
    cancellationRequested();
  }
});

/** Hashes the same megabyte without end. */
export const SpinInDigest = hostile('spin_in_digest', async () => {
  const bytes = new Uint8Array(1 << 20);
  for (;;) {
    await crypto.subtle.digest('SHA-256', bytes);
  }
});

/** Copies memory without end: bulk operations are one instruction each. */
export const SpinInCopy = hostile('spin_in_copy', () => {
  const bytes = new Uint8Array(4 << 20);
  for (;;) {
    bytes.copyWithin(1, 0);
  }
});

/** Writes to standard error without end. */
export const SpinInConsole = hostile('spin_in_console', () => {
  for (;;) {
    console.error('again');
  }
});

/** Code made of text, which loops. */
export const SpinInEval = hostile('spin_in_eval', () => new Function('for (;;) {}')());

/** Waits, without computing, far longer than any deadline. */
export const SleepForever = hostile('sleep_forever', async () => {
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  return done();
});

/** A promise that nothing settles. */
export const NeverSettle = hostile('never_settle', () => new Promise(() => {}));
