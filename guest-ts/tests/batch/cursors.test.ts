import { describe, expect, it } from 'vitest';
import { BatchableMixin, type CursorConfig } from '../../src/index.js';

const { createCursorConfig, createCursorConfigs, createCursorRanges } = new BatchableMixin();

const bounds = (ranges: CursorConfig[]) => ranges.map(({ startCursor, endCursor }) => [startCursor, endCursor]);

describe('a cursor configuration', () => {
  it('is a range with a step of one and no metadata', () => {
    expect(createCursorConfig(5, 9)).toEqual({ startCursor: 5, endCursor: 9, stepSize: 1, metadata: {} });
  });

  it('has the step and metadata it is given', () => {
    expect(createCursorConfig(5, 9, 2, { shard: 'a' })).toMatchObject({ stepSize: 2, metadata: { shard: 'a' } });
  });
});

describe('shares for a number of workers', () => {
  it.each([
    [1000, 3, [334, 334, 332]],
    [10, 4, [3, 3, 3, 1]],
    [5, 4, [2, 2, 1]],
    [9, 3, [3, 3, 3]],
    [2, 5, [1, 1]],
    [7, 1, [7]],
  ])('%i items for %i workers are cut into %j', (total, workers, counts) => {
    const configs = createCursorConfigs(total, workers);
    expect(configs.map(({ row_count }) => row_count)).toEqual(counts);
    expect(configs.at(0)?.cursor_start).toBe(0);
    expect(configs.at(-1)?.cursor_end).toBe(total);
    for (const [index, config] of configs.entries()) {
      expect(config.cursor_end - config.cursor_start).toBe(config.row_count);
      expect(config.cursor_start).toBe(configs[index - 1]?.cursor_end ?? 0);
    }
  });

  it('are numbered from 001, and know how many workers were asked for', () => {
    expect(createCursorConfigs(5, 4)).toEqual([
      { batch_id: '001', cursor_start: 0, cursor_end: 2, row_count: 2, worker_index: 0, total_workers: 4 },
      { batch_id: '002', cursor_start: 2, cursor_end: 4, row_count: 2, worker_index: 1, total_workers: 4 },
      { batch_id: '003', cursor_start: 4, cursor_end: 5, row_count: 1, worker_index: 2, total_workers: 4 },
    ]);
    expect(createCursorConfigs(1234, 1234).at(-1)?.batch_id).toBe('1234');
  });

  it('are none for no items', () => {
    expect(createCursorConfigs(0, 3)).toEqual([]);
  });

  it.each([0, -1])('need a worker, even for no items: %i', (workers) => {
    expect(() => createCursorConfigs(0, workers)).toThrow('workerCount must be > 0');
  });
});

describe('ranges of a size', () => {
  it('end with what is left', () => {
    expect(createCursorRanges(10, 4)).toEqual([
      { startCursor: 0, endCursor: 4, stepSize: 1, metadata: {} },
      { startCursor: 4, endCursor: 8, stepSize: 1, metadata: {} },
      { startCursor: 8, endCursor: 10, stepSize: 1, metadata: {} },
    ]);
  });

  it('have the step they are given', () => {
    expect(createCursorRanges(2, 2, 5)).toMatchObject([{ stepSize: 5 }]);
  });

  it('grow where there would be too many', () => {
    expect(bounds(createCursorRanges(10, 2, 1, 3))).toEqual([
      [0, 4],
      [4, 8],
      [8, 10],
    ]);
  });

  it.each([5, 0, -1, undefined])('keep their size where there may be %s of them', (most) => {
    expect(createCursorRanges(10, 2, 1, most)).toHaveLength(5);
  });

  it('are none for no items, whatever the size', () => {
    expect(createCursorRanges(0, 0)).toEqual([]);
  });

  it.each([0, -3])('need a size: %i', (size) => {
    expect(() => createCursorRanges(10, size)).toThrow('batchSize must be > 0');
  });
});
