/** Handlers that take memory and keep it. */

import { done, hostile } from './handler.js';

const MIB = 1 << 20;

/** Buffers, each filled. */
export const Allocate = hostile('allocate', () => {
  const kept: Uint8Array[] = [];
  for (;;) {
    kept.push(new Uint8Array(MIB).fill(kept.length + 1));
  }
});

/** Buffers, none touched. */
export const AllocateBuffers = hostile('allocate_buffers', () => {
  const kept: ArrayBuffer[] = [];
  for (;;) {
    kept.push(new ArrayBuffer(MIB));
  }
});

/** One buffer of a gigabyte, at once. */
export const AllocateAtOnce = hostile('allocate_at_once', () => done({ length: new Uint8Array(1 << 30).length }));

/** Strings that double, flattened so that each exists. */
export const AllocateString = hostile('allocate_string', () => {
  let text = 'x';
  const kept: string[] = [];
  for (;;) {
    text = (text + text).split('').join('');
    kept.push(text);
  }
});

/** One array that only grows. */
export const AllocateArray = hostile('allocate_array', () => {
  const kept: number[] = [];
  for (;;) {
    kept.push(kept.length + 0.5);
  }
});

/** An array said to be dense, of a size nobody has. */
export const AllocateSparse = hostile('allocate_sparse', () => done({ length: new Array(2 ** 27).fill(0).length }));

/** A map with keys without end. */
export const AllocateMap = hostile('allocate_map', () => {
  const kept = new Map<object, object>();
  for (;;) {
    kept.set({ key: kept.size }, { value: kept.size });
  }
});

/** A set of strings without end. */
export const AllocateSet = hostile('allocate_set', () => {
  const kept = new Set<string>();
  for (;;) {
    kept.add(`entry ${kept.size} of a set that never ends`);
  }
});

/** Functions, each holding what it closes over. */
export const AllocateClosures = hostile('allocate_closures', () => {
  const kept: Array<() => number> = [];
  for (;;) {
    const held = new Array(1_000).fill(kept.length);
    kept.push(() => held.length);
  }
});

/** The bytes of long strings. */
export const AllocateEncoded = hostile('allocate_encoded', () => {
  const kept: Uint8Array[] = [];
  for (;;) {
    kept.push(new TextEncoder().encode('€'.repeat(MIB)));
  }
});

/** Clones of clones, each twice as large. */
export const AllocateClones = hostile('allocate_clones', () => {
  let value: unknown[] = [new Array(1_000).fill('clone')];
  for (;;) {
    value = [structuredClone(value), structuredClone(value)];
  }
});

/** Promises that wait for each other. */
export const AllocatePromises = hostile('allocate_promises', async () => {
  const kept: Promise<unknown>[] = [];
  for (;;) {
    kept.push(new Promise(() => {}).then(() => kept));
  }
});

/** Timers that never fire, each with an argument to keep. */
export const AllocateTimers = hostile('allocate_timers', () => {
  for (;;) {
    setTimeout(() => {}, 3_600_000, new Uint8Array(100_000));
  }
});

/** Blobs, whose bytes are outside the collector's sight. */
export const AllocateBlobs = hostile('allocate_blobs', () => {
  const kept: Blob[] = [];
  const part = new Uint8Array(MIB);
  for (;;) {
    kept.push(new Blob([part, part]));
  }
});

/** Garbage, and nothing but, made faster than the collector thinks of it. */
export const AllocateGarbage = hostile('allocate_garbage', () => {
  for (;;) {
    new Uint8Array(MIB).fill(1);
  }
});

/** Takes what there is, catches the refusal, lets go and goes on. */
export const AllocateAndGoOn = hostile('allocate_and_go_on', () => {
  const refusals: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    let kept: Uint8Array[] | null = [];
    try {
      for (;;) {
        kept.push(new Uint8Array(MIB));
      }
    } catch (error) {
      kept = null;
      refusals.push(String(error));
    }
  }
  return done({ refusals });
});
