import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packageOf } from './package.js';

const command = fileURLToPath(new URL('../bin/tasker-componentize.js', import.meta.url));

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

describe('tasker-componentize', () => {
  it('explains itself when asked', () => {
    expect(run('--help')).toMatchObject({
      code: 0,
      out: expect.stringContaining('Usage: tasker-componentize'),
      err: '',
    });
  });

  it.each([[[]], [['build']], [['make', '.']], [['build', '--watch', '.']], [['build', '--jobs', 'many', '.']]])(
    'exits with 2 for the arguments %j',
    (args) => {
      expect(run(...args)).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining('Usage: tasker-componentize'),
      });
    },
  );

  it('exits with 1 for a package that does not build, and says why without a stack', () => {
    const directory = packageOf({ 'tasker.toml': 'name = "shop"\nnamespace = "a-b"\n' });
    expect(run('build', directory)).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/^error: tasker\.toml is not valid\n {2}tasker\.toml:2: namespace must be [^\n]*\n$/),
    });
  });
});
