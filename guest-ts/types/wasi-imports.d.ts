/** The granted values, and placeholders of the granted secrets; `process.env` shows the same. Needs `env` or `secrets`. */
declare module 'wasi:cli/environment@0.2.12' {
  export function getEnvironment(): Array<[name: string, value: string]>;
  export function getArguments(): string[];
  export function initialCwd(): string | undefined;
}

/** The granted directories. Needs `mounts`. */
declare module 'wasi:filesystem/preopens@0.2.12' {
  import type { Descriptor } from 'wasi:filesystem/types@0.2.12';
  /** Each with its path in `tasker.toml`. */
  export function getDirectories(): Array<[directory: Descriptor, path: string]>;
}

/** Files of the granted directories. A failing function throws an Error whose `payload` is an ErrorCode. */
declare module 'wasi:filesystem/types@0.2.12' {
  import type { InputStream, OutputStream } from 'wasi:io/streams@0.2.12';

  export type DescriptorType =
    | 'unknown'
    | 'block-device'
    | 'character-device'
    | 'directory'
    | 'fifo'
    | 'symbolic-link'
    | 'regular-file'
    | 'socket';
  export interface DescriptorFlags {
    read?: boolean;
    write?: boolean;
    fileIntegritySync?: boolean;
    dataIntegritySync?: boolean;
    requestedWriteSync?: boolean;
    mutateDirectory?: boolean;
  }
  export interface PathFlags {
    symlinkFollow?: boolean;
  }
  export interface OpenFlags {
    create?: boolean;
    directory?: boolean;
    exclusive?: boolean;
    truncate?: boolean;
  }
  export interface Datetime {
    seconds: bigint;
    nanoseconds: number;
  }
  export interface DescriptorStat {
    type: DescriptorType;
    linkCount: bigint;
    size: bigint;
    dataAccessTimestamp?: Datetime;
    dataModificationTimestamp?: Datetime;
    statusChangeTimestamp?: Datetime;
  }
  export type NewTimestamp = { tag: 'no-change' } | { tag: 'now' } | { tag: 'timestamp'; val: Datetime };
  export interface DirectoryEntry {
    type: DescriptorType;
    name: string;
  }
  export type ErrorCode =
    | 'access'
    | 'would-block'
    | 'already'
    | 'bad-descriptor'
    | 'busy'
    | 'deadlock'
    | 'quota'
    | 'exist'
    | 'file-too-large'
    | 'illegal-byte-sequence'
    | 'in-progress'
    | 'interrupted'
    | 'invalid'
    | 'io'
    | 'is-directory'
    | 'loop'
    | 'too-many-links'
    | 'message-size'
    | 'name-too-long'
    | 'no-device'
    | 'no-entry'
    | 'no-lock'
    | 'insufficient-memory'
    | 'insufficient-space'
    | 'not-directory'
    | 'not-empty'
    | 'not-recoverable'
    | 'unsupported'
    | 'no-tty'
    | 'no-such-device'
    | 'overflow'
    | 'not-permitted'
    | 'pipe'
    | 'read-only'
    | 'invalid-seek'
    | 'text-file-busy'
    | 'cross-device';
  export type Advice = 'normal' | 'sequential' | 'random' | 'will-need' | 'dont-need' | 'no-reuse';
  export interface MetadataHashValue {
    lower: bigint;
    upper: bigint;
  }

  /** A file or directory. Paths are relative to a directory and cannot lead out of it. */
  export class Descriptor {
    private constructor();
    readViaStream(offset: bigint): InputStream;
    writeViaStream(offset: bigint): OutputStream;
    appendViaStream(): OutputStream;
    advise(offset: bigint, length: bigint, advice: Advice): void;
    syncData(): void;
    getFlags(): DescriptorFlags;
    getType(): DescriptorType;
    setSize(size: bigint): void;
    setTimes(dataAccessTimestamp: NewTimestamp, dataModificationTimestamp: NewTimestamp): void;
    /** The bytes, and whether the end was reached. */
    read(length: bigint, offset: bigint): [bytes: Uint8Array, end: boolean];
    /** How many bytes were written. */
    write(buffer: Uint8Array, offset: bigint): bigint;
    readDirectory(): DirectoryEntryStream;
    sync(): void;
    createDirectoryAt(path: string): void;
    stat(): DescriptorStat;
    statAt(pathFlags: PathFlags, path: string): DescriptorStat;
    setTimesAt(
      pathFlags: PathFlags,
      path: string,
      dataAccessTimestamp: NewTimestamp,
      dataModificationTimestamp: NewTimestamp,
    ): void;
    linkAt(oldPathFlags: PathFlags, oldPath: string, newDescriptor: Descriptor, newPath: string): void;
    openAt(pathFlags: PathFlags, path: string, openFlags: OpenFlags, flags: DescriptorFlags): Descriptor;
    readlinkAt(path: string): string;
    removeDirectoryAt(path: string): void;
    renameAt(oldPath: string, newDescriptor: Descriptor, newPath: string): void;
    symlinkAt(oldPath: string, newPath: string): void;
    unlinkFileAt(path: string): void;
    isSameObject(other: Descriptor): boolean;
    metadataHash(): MetadataHashValue;
    metadataHashAt(pathFlags: PathFlags, path: string): MetadataHashValue;
  }

  export class DirectoryEntryStream {
    private constructor();
    /** Undefined at the end. */
    readDirectoryEntry(): DirectoryEntry | undefined;
  }
}

/** Streams of files; their types only. */
declare module 'wasi:io/streams@0.2.12' {
  export class InputStream {
    private constructor();
    read(length: bigint): Uint8Array;
    blockingRead(length: bigint): Uint8Array;
    skip(length: bigint): bigint;
    blockingSkip(length: bigint): bigint;
  }
  export class OutputStream {
    private constructor();
    /** How many bytes the next `write` may have. */
    checkWrite(): bigint;
    write(contents: Uint8Array): void;
    /** At most 4096 bytes. */
    blockingWriteAndFlush(contents: Uint8Array): void;
    flush(): void;
    blockingFlush(): void;
    writeZeroes(length: bigint): void;
    splice(source: InputStream, length: bigint): bigint;
  }
}
