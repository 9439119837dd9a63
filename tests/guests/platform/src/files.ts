/** Files of the granted directories: `/data` to read and `/out` to write. */

import * as fs from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineHandler } from '@tasker-systems/tasker';

const code = (error: unknown) => (error as NodeJS.ErrnoException).code;
const refusal = (call: () => unknown): unknown => {
  try {
    return call() ?? 'done';
  } catch (error) {
    return code(error);
  }
};

export const Files = defineHandler('platform.files', {}, async () => {
  const file = join('/out', 'deep/er', 'note.txt');
  fs.mkdirSync('/out/deep/er', { recursive: true });
  await writeFile(file, 'one\n');
  fs.appendFileSync(file, 'two\n');
  fs.writeFileSync('/out/big.bin', Buffer.alloc(200_000, 'x'));

  const sizes: number[] = [];
  for await (const chunk of fs.createReadStream('/out/big.bin')) {
    sizes.push((chunk as Buffer).length);
  }
  const slice = await new Promise((resolve, reject) => {
    const chunks: string[] = [];
    fs.createReadStream(file, { encoding: 'utf8', start: 2, end: 4 })
      .on('data', (chunk) => chunks.push(String(chunk)))
      .on('error', reject)
      .on('end', () => resolve(chunks.join('')));
  });
  await new Promise<void>((resolve, reject) => {
    const out = fs.createWriteStream('/out/streamed.txt');
    out.on('error', reject).on('finish', () => resolve());
    out.write('a');
    out.end('b');
  });
  fs.copyFileSync(file, '/out/copy.txt');
  fs.renameSync('/out/copy.txt', '/out/moved.txt');
  const listed = fs.readdirSync('/out', { recursive: true });
  const kinds = fs.readdirSync('/out', { withFileTypes: true }).map((entry) => [entry.name, entry.isDirectory()]);
  const { size, mtimeMs } = await stat(file);

  const seen = {
    note: await readFile('/data/note.txt', 'utf8'),
    link:
      new URL('file:///data/note.txt').pathname === '/data/note.txt' && fs.existsSync(new URL('file:///data/note.txt')),
    written: fs.readFileSync(file, 'utf8'),
    size,
    recent: mtimeMs > Date.UTC(2020, 0),
    chunks: [sizes.length > 1, sizes.reduce((sum, each) => sum + each, 0)],
    slice,
    streamed: fs.readFileSync('/out/streamed.txt', 'utf8'),
    listed: (listed as string[]).sort(),
    kinds,
    root: fs.readdirSync('/'),
    exists: ['/', '/data', '/data/none', '/etc/passwd'].map((path) => fs.existsSync(path)),
    refused: {
      absent: refusal(() => fs.readFileSync('/data/none')),
      ungranted: refusal(() => fs.readFileSync('/etc/passwd')),
      upwards: refusal(() => fs.readFileSync('/data/../etc/passwd')),
      readOnly: refusal(() => fs.writeFileSync('/data/note.txt', 'x')),
      directory: refusal(() => fs.readFileSync('/data')),
      notEmpty: refusal(() => fs.rmdirSync('/out/deep')),
      exclusive: refusal(() => fs.writeFileSync(file, 'x', { flag: 'wx' })),
      exists: refusal(() => fs.mkdirSync('/out/deep')),
      notDirectory: refusal(() => fs.readdirSync(file)),
    },
    promised: await readFile('/data/none').catch((error) => error.message),
    calledBack: await new Promise((resolve) => fs.readFile('/data/none', (error) => resolve(code(error)))),
    accessible: [
      refusal(() => fs.accessSync('/data/note.txt', fs.constants.W_OK)),
      refusal(() => fs.accessSync(file, fs.constants.W_OK)),
    ],
  };
  for (const name of fs.readdirSync('/out')) {
    fs.rmSync(join('/out', name), { recursive: true });
  }
  return { ...seen, left: fs.readdirSync('/out') };
});
