/** How many packages are built at once: a build is one busy process that wants its share of memory. */

import { availableParallelism } from 'node:os';

/** What the engine's process takes at its peak, with room for what its package adds. */
const BUILD_BYTES = 1024 ** 3;

export function jobsFor(packages: number): number {
  const byMemory = Math.floor(process.availableMemory() / BUILD_BYTES);
  return Math.max(1, Math.min(packages, availableParallelism(), byMemory));
}

/** Lets at most so many run at once; the others wait in the order they came. */
export class Slots {
  private readonly waiting: Array<() => void> = [];

  constructor(private free: number) {}

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) {
      this.free -= 1;
    } else {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) {
        this.free += 1;
      } else {
        next();
      }
    }
  }
}
