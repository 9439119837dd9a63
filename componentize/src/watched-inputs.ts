/**
 * The inputs of a package, watched. Directories are watched rather than files: an editor replaces a file, and a new
 * one belongs to the package as well. Events only say that something happened; what changed is told from the files, so
 * that none is lost between two builds and none is invented by an output.
 */

import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { CONFIGURATION } from './input-hash.js';
import type { NamedPackage } from './named-package.js';
import { listSourceDirectories, listSources } from './sources.js';

/** What has stood still for so long is a change; several files saved together are one. */
const QUIET_MS = 50;

export class WatchedInputs {
  private readonly watchers = new Map<string, FSWatcher>();
  private files: string[];
  private marks = new Map<string, string>();
  private wake = () => {};

  constructor(private readonly named: NamedPackage) {
    this.files = CONFIGURATION.map((name) => join(named.directory, name));
    this.watchDirectories();
  }

  /** Remembers how the inputs are now; returns what to do when a build that starts now has read its files. */
  mark(): (reads: ReadonlySet<string>) => void {
    const started = Date.now();
    this.marks = new Map(this.present().map((file) => [file, signature(file)]));
    return (reads) => {
      this.files = [...new Set([...this.files, ...reads])];
      for (const file of this.files) {
        if (!this.marks.has(file)) {
          this.marks.set(file, modified(file) > started ? 'changed since' : signature(file));
        }
      }
    };
  }

  /** The inputs that are not as they were marked, relative to the package, once there are any; none when aborted. */
  async changed(signal: AbortSignal): Promise<string[]> {
    while (!signal.aborted) {
      this.watchDirectories();
      const changed = this.differences();
      if (changed.size === 0) {
        await this.event(signal);
        continue;
      }
      // A file may be half written, and others may follow.
      await sleep(QUIET_MS);
      if (isDeepStrictEqual(changed, this.differences())) {
        return [...changed.keys()].map((file) => relative(this.named.directory, file)).sort();
      }
    }
    return [];
  }

  close(): void {
    for (const watcher of this.watchers.values()) {
      watcher.close();
    }
    this.watchers.clear();
  }

  /** What is not as it was marked, with how it is. */
  private differences(): Map<string, string> {
    const files = new Set([...this.present(), ...this.marks.keys()]);
    return new Map(
      [...files]
        .map((file) => [file, signature(file)] as const)
        .filter(([file, now]) => now !== (this.marks.get(file) ?? ABSENT)),
    );
  }

  private present(): string[] {
    return [...new Set([...this.files, ...this.sources()])];
  }

  private sources(): string[] {
    return existing(() => listSources(this.named)).map((file) => join(this.named.directory, file));
  }

  private watchDirectories(): void {
    const wanted = new Set([
      ...this.files.map((file) => dirname(file)),
      ...existing(() => listSourceDirectories(this.named)),
    ]);
    for (const directory of wanted) {
      if (!this.watchers.has(directory)) {
        this.watchDirectory(directory);
      }
    }
  }

  private watchDirectory(directory: string): void {
    try {
      const watcher = watch(directory, () => this.wake());
      const forget = () => {
        watcher.close();
        this.watchers.delete(directory);
      };
      watcher.on('error', forget);
      this.watchers.set(directory, watcher);
    } catch (error) {
      // A directory that is gone is watched again when it is back; its parent tells.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw error;
      }
    }
  }

  private event(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

const ABSENT = 'absent';

function signature(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? ABSENT : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
}

function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Nothing where the package's directory is gone, as it is for a moment when a branch is switched. */
function existing(list: () => string[]): string[] {
  try {
    return list();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return [];
    }
    throw error;
  }
}
