/** Handlers that store progress that is none, or too much of it. */

import { saveCheckpoint as saveRaw } from 'tasker:handler/execution@0.1.0';
import { StepHandlerResult, saveCheckpoint } from '@tasker-systems/tasker';
import { done, hostile, megabytes, tried } from './handler.js';

/** What a batch worker's `checkpointYield` makes. */
function checkpointYield(cursor: unknown, items: number, results?: Record<string, unknown>): StepHandlerResult {
  const progress = { cursor, items_processed: items, ...(results && { accumulated_results: results }) };
  return StepHandlerResult.success(progress, { checkpoint_yield: true });
}

/** A cursor of two megabytes. */
export const YieldHuge = hostile('yield_huge', () => checkpointYield(megabytes(2), 1));

/** Partial results of two megabytes. */
export const YieldHugeResults = hostile('yield_huge_results', () => checkpointYield(1, 1, { partial: megabytes(2) }));

/** The same place, for ever. */
export const YieldStandingStill = hostile('yield_standing_still', () => checkpointYield({ at: 0 }, 0));

/** Fewer items than none. */
export const YieldNegative = hostile('yield_negative', () => checkpointYield(1, -5));

/** A cursor that contains itself. */
export const YieldCycle = hostile('yield_cycle', () => {
  const cursor: Record<string, unknown> = {};
  cursor.self = cursor;
  return checkpointYield(cursor, 1);
});

/** A cursor that no column holds. */
export const YieldNul = hostile('yield_nul', () => checkpointYield('a\u0000b', 1));

/** A cursor that is a function. */
export const YieldFunction = hostile('yield_function', () => checkpointYield(() => 1, 1));

/** Progress stored ten thousand and one times. */
export const SaveOften = hostile('save_often', () => {
  for (let count = 0; count < 10_001; count += 1) {
    saveCheckpoint(count, count);
  }
  return done();
});

/** Progress stored again and again though the host refuses. */
export const SaveOftenAndCatch = hostile('save_often_and_catch', () => {
  let refused = 0;
  for (let count = 0; count < 2_000; count += 1) {
    try {
      saveCheckpoint(count, count);
    } catch {
      refused += 1;
    }
  }
  return done({ refused });
});

/** Progress of two megabytes, stored while the call goes on. */
export const SaveHuge = hostile('save_huge', () => {
  saveCheckpoint(megabytes(2), 1);
  return done();
});

/** Progress handed to the host without the SDK: text that is no JSON, counts that no column holds. */
export const SaveRaw = hostile('save_raw', () => {
  const raw = saveRaw as (progress: unknown) => void;
  return done({
    text: tried(() => raw({ cursor: '{"at": ', itemsProcessed: 1n })),
    empty: tried(() => raw({ cursor: '', itemsProcessed: 1n })),
    count: tried(() => raw({ cursor: '1', itemsProcessed: 2n ** 64n - 1n })),
    list: tried(() => raw({ cursor: '1', itemsProcessed: 1n, accumulatedResults: '[1]' })),
    nul: tried(() => raw({ cursor: '"\\u0000"', itemsProcessed: 1n })),
  });
});
