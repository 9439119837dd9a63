/** What is known of a file. */

import type { Datetime, DescriptorStat, DescriptorType } from 'wasi:filesystem/types@0.2.12';

/** Bits of a mode that say which kind a file is of. */
const KINDS: Partial<Record<DescriptorType, number>> = {
  'block-device': 0o060000,
  'character-device': 0o020000,
  directory: 0o040000,
  fifo: 0o010000,
  'symbolic-link': 0o120000,
  'regular-file': 0o100000,
  socket: 0o140000,
};

/** Questions that a file and an entry of a directory both answer. */
class Kind {
  // Not enumerable: whoever prints or compares entries sees what Node shows.
  readonly #type: DescriptorType;

  constructor(type: DescriptorType) {
    this.#type = type;
  }

  isFile(): boolean {
    return this.#type === 'regular-file';
  }
  isDirectory(): boolean {
    return this.#type === 'directory';
  }
  isSymbolicLink(): boolean {
    return this.#type === 'symbolic-link';
  }
  isFIFO(): boolean {
    return this.#type === 'fifo';
  }
  isSocket(): boolean {
    return this.#type === 'socket';
  }
  isBlockDevice(): boolean {
    return this.#type === 'block-device';
  }
  isCharacterDevice(): boolean {
    return this.#type === 'character-device';
  }
}

export class Dirent extends Kind {
  constructor(
    readonly name: string,
    readonly parentPath: string,
    type: DescriptorType,
  ) {
    super(type);
  }

  /** Its older name. */
  get path(): string {
    return this.parentPath;
  }
}

export class Stats extends Kind {
  readonly dev = 0;
  readonly ino = 0;
  readonly uid = 0;
  readonly gid = 0;
  readonly rdev = 0;
  readonly blksize = 4096;
  readonly blocks: number;
  readonly mode: number;
  readonly nlink: number;
  readonly size: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;

  constructor(stat: Pick<DescriptorStat, 'type'> & Partial<DescriptorStat>) {
    super(stat.type);
    this.size = Number(stat.size ?? 0);
    this.blocks = Math.ceil(this.size / 512);
    this.nlink = Number(stat.linkCount ?? 1);
    // A sandbox shows no permissions: these say what a file is.
    this.mode = (KINDS[stat.type] ?? 0) | (stat.type === 'directory' ? 0o755 : 0o644);
    this.atimeMs = milliseconds(stat.dataAccessTimestamp);
    this.mtimeMs = milliseconds(stat.dataModificationTimestamp);
    this.ctimeMs = milliseconds(stat.statusChangeTimestamp);
    this.birthtimeMs = this.ctimeMs;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.ctimeMs);
  }
  get birthtime(): Date {
    return new Date(this.birthtimeMs);
  }
}

function milliseconds(time: Datetime | undefined): number {
  return time === undefined ? 0 : Number(time.seconds) * 1000 + time.nanoseconds / 1_000_000;
}
