/** How items are cut into batches. Two ways: by the size of a batch, and by the number of workers. */

/** A range of items, as `createCursorRanges` cuts them. */
export interface CursorConfig {
  /** Inclusive. */
  startCursor: number;
  /** Exclusive. */
  endCursor: number;
  stepSize: number;
  metadata: Record<string, unknown>;
}

/** A worker's share, as `createCursorConfigs` cuts them and `batchSuccess` takes them. */
export interface BatchWorkerConfig {
  /** `001`, `002`, ... */
  batch_id: string;
  /** Inclusive. */
  cursor_start: number;
  /** Exclusive. */
  cursor_end: number;
  row_count: number;
  /** From 0. */
  worker_index: number;
  /** Workers asked for; fewer get a share when there are not enough items. */
  total_workers: number;
  metadata?: Record<string, unknown>;
}

export function createCursorConfig(
  start: number,
  end: number,
  stepSize = 1,
  metadata: Record<string, unknown> = {},
): CursorConfig {
  return { startCursor: start, endCursor: end, stepSize, metadata };
}

/**
 * Batches of `batchSize` items, the last one of what is left; larger ones where there would be more than `maxBatches`.
 *
 * @throws Error when there are items and the batch size is not positive
 */
export function createCursorRanges(
  totalItems: number,
  batchSize: number,
  stepSize = 1,
  maxBatches = 0,
): CursorConfig[] {
  if (totalItems === 0) {
    return [];
  }
  if (batchSize <= 0) {
    throw new Error('batchSize must be > 0');
  }
  const tooMany = maxBatches > 0 && Math.ceil(totalItems / batchSize) > maxBatches;
  const size = tooMany ? Math.ceil(totalItems / maxBatches) : batchSize;
  const ranges: CursorConfig[] = [];
  for (let start = 0; start < totalItems; start += size) {
    ranges.push(createCursorConfig(start, Math.min(start + size, totalItems), stepSize));
  }
  return ranges;
}

/**
 * Equal shares for `workerCount` workers, rounded up: the last share is smaller, and the last workers may have none.
 *
 * @throws Error when there is no worker
 */
export function createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[] {
  if (workerCount <= 0) {
    throw new Error('workerCount must be > 0');
  }
  if (totalItems === 0) {
    return [];
  }
  const share = Math.ceil(totalItems / workerCount);
  const configs: BatchWorkerConfig[] = [];
  for (let index = 0; index < workerCount && index * share < totalItems; index += 1) {
    const start = index * share;
    const end = Math.min(start + share, totalItems);
    configs.push({
      batch_id: batchNumber(index + 1),
      cursor_start: start,
      cursor_end: end,
      row_count: end - start,
      worker_index: index,
      total_workers: workerCount,
    });
  }
  return configs;
}

/** Three digits at least, so that names sort as numbers up to a thousand. */
export function batchNumber(number: number): string {
  return String(number).padStart(3, '0');
}
