import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inputHash } from '../dist/input-hash.js';
import { locked, outputPaths } from '../dist/output.js';
import { listSources } from '../dist/sources.js';
import { findToolchain } from '../dist/toolchain.js';

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tasker-output-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function writeFiles(directory: string, files: Record<string, string>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

function packageWith(files: Record<string, string>): string {
  return writeFiles(temporaryDirectory(), {
    'package.json': '{}',
    'tasker.toml': 'name = "sample"\nnamespace = "samples"\n',
    ...files,
  });
}

const HANDLER = 'export {};\n';

describe('the lock of an output directory', () => {
  it('lets one build work at a time and tells the others whom they wait for', async () => {
    const paths = outputPaths(temporaryDirectory(), 'sample');
    const events: string[] = [];
    let release = () => {};
    let first: Promise<void> = Promise.resolve();
    await new Promise<void>((started) => {
      first = locked(
        paths,
        () => {},
        async () => {
          events.push('first starts');
          await new Promise<void>((resolve) => {
            release = resolve;
            started();
          });
          events.push('first ends');
        },
      );
    });
    let second: Promise<void> = Promise.resolve();
    const holder = await new Promise<string>((resolve) => {
      second = locked(paths, resolve, async () => {
        events.push('second starts');
      });
    });
    expect(holder).toBe(String(process.pid));
    release();
    await Promise.all([first, second]);
    expect(events).toEqual(['first starts', 'first ends', 'second starts']);
    expect(readdirSync(paths.directory)).toEqual([]);
  });

  it('is taken from a process that is gone, and from one that holds it for too long', async () => {
    for (const [holder, age] of [
      ['999999999', 0],
      [String(process.pid), 3600],
    ] as const) {
      const paths = outputPaths(temporaryDirectory(), 'sample');
      await mkdir(paths.directory);
      const lock = join(paths.directory, '.build.lock');
      writeFileSync(lock, holder);
      const then = Date.now() / 1000 - age;
      utimesSync(lock, then, then);
      expect(
        await locked(
          paths,
          () => {},
          async () => existsSync(lock),
        ),
      ).toBe(true);
    }
  });
});

describe('the input hash', () => {
  const toolchain = findToolchain();
  const hashOf = (directory: string) =>
    inputHash(directory, listSources({ directory, module: null }), [join(directory, 'src/index.ts')], toolchain);

  it('does not depend on where the package is', () => {
    const files = { 'src/index.ts': HANDLER };
    expect(hashOf(packageWith(files))).toBe(hashOf(packageWith(files)));
  });

  it.each([
    ['a source changes', { 'src/index.ts': `${HANDLER}\n` }],
    ['a source is added', { 'src/more.ts': '' }],
    ['a setting changes', { 'tasker.toml': 'name = "sample"\nnamespace = "samples"\n[settings]\na = 1\n' }],
    ['a template is added', { 'template.yaml': 'name: x\n' }],
    ['compiler options are added', { 'tsconfig.json': '{}' }],
  ])('changes when %s', (_, change) => {
    const directory = packageWith({ 'src/index.ts': HANDLER });
    const before = hashOf(directory);
    expect(hashOf(writeFiles(directory, change))).not.toBe(before);
  });

  it('is the same when only a test changes', () => {
    const directory = packageWith({ 'src/index.ts': HANDLER });
    const before = hashOf(directory);
    expect(hashOf(writeFiles(directory, { 'src/index.test.ts': 'x', 'test/a.ts': 'x' }))).toBe(before);
  });
});
