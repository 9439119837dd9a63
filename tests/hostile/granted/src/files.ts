/** Handlers that were granted two directories, `/data` to read and `/out` to write, and want more. */

import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';
import type { Descriptor, DescriptorFlags, OpenFlags } from 'wasi:filesystem/types@0.2.12';
import { granted, tried, triedAll } from './handler.js';

function directory(path: string): Descriptor {
  const found = getDirectories().find(([, mounted]) => mounted === path);
  if (found === undefined) {
    throw new Error(`${path} is not there`);
  }
  return found[0];
}

function open(
  root: Descriptor,
  path: string,
  how: OpenFlags = {},
  flags: DescriptorFlags = { read: true },
): Descriptor {
  return root.openAt({ symlinkFollow: true }, path, how, flags);
}

function read(root: Descriptor, path: string): string {
  const [bytes] = open(root, path).read(1_000n, 0n);
  return new TextDecoder().decode(bytes);
}

/** Reads what it may: the others are worth something only if this works. */
export const ReadGranted = granted('read_granted', () => ({
  paths: getDirectories().map(([, path]) => path),
  text: read(directory('/data'), 'note.txt'),
}));

/** Absolute paths, from inside a directory. */
export const ReadAbsolute = granted('read_absolute', () =>
  triedAll(
    ['/etc/passwd', '//etc/passwd', '/', '/data/note.txt', '/proc/self/environ', '/proc/1/root/etc/passwd'],
    (path) => read(directory('/data'), path),
  ),
);

/** Ways up and out, in many spellings. */
export const ReadUpwards = granted('read_upwards', () =>
  triedAll(
    [
      '..',
      '../',
      '../secret.txt',
      './../secret.txt',
      'sub/../../secret.txt',
      'sub/../../../../../../../../etc/passwd',
      '../../../../../../../../proc/self/environ',
      'note.txt/../../secret.txt',
      '..\\secret.txt',
      '%2e%2e/secret.txt',
      '..\u0000/secret.txt',
      'note.txt\u0000/../../secret.txt',
      '.. /secret.txt',
      '\u2025/secret.txt',
      `${'sub/../'.repeat(500)}../secret.txt`,
    ],
    (path) => read(directory('/data'), path),
  ),
);

/** Links that somebody left in the directory, to what is outside of it. */
export const ReadSymlinks = granted('read_symlinks', () =>
  triedAll(
    ['to-secret', 'to-secret-absolute', 'to-parent/secret.txt', 'to-root/etc/passwd', 'to-proc/environ', 'loop'],
    (path) => read(directory('/data'), path),
  ),
);

/** Links it makes itself, where it may write. */
export const MakeSymlinks = granted('make_symlinks', () => {
  const out = directory('/out');
  const made = triedAll(['/etc/passwd', '../secret.txt', '..', '/proc/self/environ'], (target) => {
    const name = `made-${target.replaceAll('/', '_')}`;
    out.symlinkAt(target, name);
    return read(out, target === '..' ? `${name}/secret.txt` : name);
  });
  return made;
});

/** Hard links and renames across the border of a directory. */
export const MoveOut = granted('move_out', () => {
  const [data, out] = [directory('/data'), directory('/out')];
  open(out, 'mine.txt', { create: true }, { read: true, write: true });
  return {
    rename_up: tried(() => out.renameAt('mine.txt', out, '../mine.txt')),
    rename_absolute: tried(() => out.renameAt('mine.txt', out, '/tmp/mine.txt')),
    rename_into_data: tried(() => out.renameAt('mine.txt', data, 'mine.txt')),
    link_secret: tried(() => out.linkAt({}, '../secret.txt', out, 'linked.txt')),
    link_out_of_data: tried(() => data.linkAt({}, 'note.txt', out, 'linked.txt')),
    link_into_data: tried(() => out.linkAt({}, 'mine.txt', data, 'linked.txt')),
    directory_up: tried(() => out.createDirectoryAt('../made')),
    unlink_up: tried(() => out.unlinkFileAt('../secret.txt')),
    times_up: tried(() => out.setTimesAt({}, '../secret.txt', { tag: 'now' }, { tag: 'now' })),
  };
});

/** Changes what it may only read. */
export const WriteReadOnly = granted('write_read_only', () => {
  const data = directory('/data');
  const write: DescriptorFlags = { read: true, write: true };
  return {
    open: tried(() => open(data, 'note.txt', {}, write)),
    create: tried(() => open(data, 'new.txt', { create: true }, write)),
    create_to_read: tried(() => open(data, 'new.txt', { create: true })),
    truncate: tried(() => open(data, 'note.txt', { truncate: true })),
    write: tried(() => open(data, 'note.txt').write(new Uint8Array([1]), 0n)),
    append: tried(() =>
      open(data, 'note.txt')
        .appendViaStream()
        .blockingWriteAndFlush(new Uint8Array([1])),
    ),
    resize: tried(() => open(data, 'note.txt').setSize(0n)),
    times: tried(() => open(data, 'note.txt').setTimes({ tag: 'now' }, { tag: 'now' })),
    rename: tried(() => data.renameAt('note.txt', data, 'other.txt')),
    unlink: tried(() => data.unlinkFileAt('note.txt')),
    link: tried(() => data.linkAt({}, 'note.txt', data, 'other.txt')),
    symlink: tried(() => data.symlinkAt('note.txt', 'other.txt')),
    make_directory: tried(() => data.createDirectoryAt('made')),
    remove_directory: tried(() => data.removeDirectoryAt('sub')),
    mutate: tried(() =>
      data.openAt({}, 'sub', { directory: true }, { mutateDirectory: true }).createDirectoryAt('made'),
    ),
  };
});

/** Writes until the disk is full. */
export const FillDisk = granted('fill_disk', () => {
  const file = open(directory('/out'), 'full.bin', { create: true }, { write: true });
  const bytes = new Uint8Array(65_536).fill(1);
  for (let at = 0n; ; at += 65_536n) {
    file.write(bytes, at);
  }
});

/** Appends through a stream until the disk is full. */
export const FillByStream = granted('fill_by_stream', () => {
  const stream = open(directory('/out'), 'stream.bin', { create: true }, { write: true }).appendViaStream();
  const bytes = new Uint8Array(4_096).fill(1);
  for (;;) {
    stream.blockingWriteAndFlush(bytes);
  }
});

/** Writes the same few bytes over and over: a disk wears out too. */
export const FillInPlace = granted('fill_in_place', () => {
  const file = open(directory('/out'), 'same.bin', { create: true }, { write: true });
  const bytes = new Uint8Array(65_536);
  for (;;) {
    file.write(bytes, 0n);
  }
});

/** Makes a file of a tebibyte without writing it. */
export const FillBySize = granted('fill_by_size', () => {
  const file = open(directory('/out'), 'sized.bin', { create: true }, { write: true });
  return { resize: tried(() => file.setSize(1n << 40n)) };
});

/** Writes one byte a tebibyte into a file. */
export const FillByHole = granted('fill_by_hole', () => {
  const file = open(directory('/out'), 'hole.bin', { create: true }, { write: true });
  return { write: tried(() => file.write(new Uint8Array([1]), 1n << 40n)) };
});

/** Opens without closing. */
export const OpenForever = granted('open_forever', () => {
  const kept: Descriptor[] = [];
  for (;;) {
    kept.push(open(directory('/data'), 'note.txt'));
  }
});

/** Waits for a pipe that nobody writes to. */
export const ReadPipe = granted('read_pipe', () => ({ text: read(directory('/data'), 'pipe') }));
