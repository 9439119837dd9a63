/** `tasker-componentize watch`, as a person sees it: what it prints, and what it leaves behind. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CHARGE, packageOf, write } from './package.js';

const command = fileURLToPath(new URL('../bin/tasker-componentize.js', import.meta.url));
const TIMEOUT_MS = 120_000;

interface Watching {
  child: ChildProcess;
  /** Every line up to the first that fits, those after the last one asked for. */
  until(pattern: RegExp): Promise<string[]>;
}

function watching(directory: string, env: Record<string, string> = {}): Watching {
  const child = spawn(process.execPath, [command, 'watch', directory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  let wake = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line);
      wake();
    });
  }
  return {
    child,
    async until(pattern) {
      let index = lines.findIndex((line) => pattern.test(line));
      while (index < 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        index = lines.findIndex((line) => pattern.test(line));
      }
      return lines.splice(0, index + 1);
    },
  };
}

const built = /^ {2}component /;
const upToDate = /up to date/;
const failed = /waiting for a change/;

describe('watch', () => {
  it(
    'builds again when an input changes, survives errors, and says what changed',
    async () => {
      const directory = packageOf({
        'src/index.ts': `import './helper/more.js';\nimport 'lib';\n${CHARGE}`,
        'src/helper/more.ts': 'export const more = 1;\n',
        'node_modules/lib/package.json': '{ "name": "lib", "main": "index.js" }',
        'node_modules/lib/index.js': 'globalThis.loaded = 1;\n',
        'tsconfig.json': '{ "extends": "./base.json" }',
        'base.json': '{}',
      });
      const { until, child } = watching(directory);
      await until(built);

      // Each of these breaks the package; taking it back makes it what was built.
      const changes: Array<[string, string, string | null]> = [
        ['src/index.ts', 'export const wrong: string = 1;\n', `import './helper/more.js';\nimport 'lib';\n${CHARGE}`],
        ['src/helper/more.ts', 'export const more: string = 1;\n', 'export const more = 1;\n'],
        ['template.yaml', 'namespace_name: toy\nsteps: []\n', null],
        ['tasker.toml', 'name = 1\n', 'name = "shop"\nnamespace = "shop_workflow"\n'],
        ['base.json', '{ "compilerOptions": { "target": "ES1" } }', '{}'],
        ['node_modules/lib/index.js', 'import "./gone.js";\n', 'globalThis.loaded = 1;\n'],
        ['src/examples/index.ts', 'export const wrong: string = 1;\n', null],
      ];
      for (const [file, broken, sound] of changes) {
        write(directory, { [file]: broken });
        expect((await until(failed))[0]).toBe(`changed: ${file}`);
        write(directory, { [file]: sound });
        expect(await until(upToDate)).toContain(`changed: ${file}`);
      }

      child.kill('SIGINT');
      expect(await once(child, 'exit')).toEqual([0, null]);
    },
    TIMEOUT_MS,
  );

  it(
    'ends at once when it is interrupted in the middle of a build, and leaves nothing behind',
    async () => {
      const directory = packageOf();
      const temporary = packageOf();
      const before = readdirSync(temporary);
      const { until, child } = watching(directory, { TMPDIR: temporary });
      await until(/making the component/);
      expect(readdirSync(temporary)).not.toEqual(before);
      child.kill('SIGINT');
      expect(await once(child, 'exit')).toEqual([0, null]);
      expect(readdirSync(temporary)).toEqual(before);
      expect(readdirSync(join(directory, 'dist'))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
