/** Handlers that leave something behind for the next call, which has to find nothing. */

import { done, hostile } from './handler.js';

let calls = 0;

/** Counts its calls in the module and in a global. */
export const CountCalls = hostile('count_calls', async () => {
  calls += 1;
  const shared = globalThis as { hostileCalls?: number };
  shared.hostileCalls = (shared.hostileCalls ?? 0) + 1;
  return done({ calls, shared: shared.hostileCalls });
});

/** Patches what every handler uses, and says whether somebody did before. */
export const LeavePrototypes = hostile('leave_prototypes', () => {
  const marked = 'hostile' in Object.prototype;
  Object.defineProperty(Object.prototype, 'hostile', { value: true, configurable: true, enumerable: true });
  const { parse } = JSON;
  JSON.parse = (text: string) => Object.assign(parse(text), { forged: true });
  return done({ marked });
});

/** Ends while its timers go on. */
export const LeaveTimers = hostile('leave_timers', () => {
  for (let timer = 0; timer < 100; timer += 1) {
    setInterval(() => {}, 1);
    setTimeout(() => {}, 3_600_000);
  }
  return done({ running: 200 });
});

/** Ends while jobs of its own go on, each making the next. */
export const LeaveJobs = hostile('leave_jobs', () => {
  const again = (): void => queueMicrotask(again);
  setTimeout(again, 1);
  return done({ running: true });
});

/** Ends while a request of its own is under way. */
export const LeaveRequest = hostile('leave_request', () => {
  fetch('http://127.0.0.1:1/').catch(() => {});
  return done({ running: true });
});

/** Keeps memory it never needs again. */
export const LeaveMemory = hostile('leave_memory', () => {
  const kept = globalThis as { hostileMemory?: Uint8Array };
  const found = kept.hostileMemory?.length ?? 0;
  kept.hostileMemory = new Uint8Array(8 << 20).fill(7);
  return done({ found });
});
