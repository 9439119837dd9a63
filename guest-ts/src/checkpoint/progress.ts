/** A handler's progress as the host takes it: the cursor and the partial results as JSON text. */

export interface Progress {
  cursor: string;
  itemsProcessed: bigint;
  accumulatedResults: string | undefined;
}

/** @throws TypeError saying what is wrong with the progress */
export function progress(cursor: unknown, itemsProcessed: unknown, accumulated: unknown): Progress {
  const count = itemsProcessed ?? 0;
  if (!Number.isSafeInteger(count) || (count as number) < 0) {
    throw new TypeError(`its items_processed is ${describe(count)}: count the items done so far, 0 or more`);
  }
  const text = JSON.stringify(cursor ?? 0);
  if (typeof text !== 'string') {
    throw new TypeError(`its cursor is a ${typeof cursor}: use a value that JSON has`);
  }
  const keeps = typeof accumulated === 'object' && accumulated !== null && !Array.isArray(accumulated);
  return {
    cursor: text,
    itemsProcessed: BigInt(count as number),
    accumulatedResults: keeps ? JSON.stringify(accumulated) : undefined,
  };
}

function describe(count: unknown): string {
  return typeof count === 'number' ? String(count) : `a ${typeof count}`;
}
