import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checked } from '../dist/summary.js';
import { CHARGE, packageOf } from './package.js';

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

  it('loads no compiler before there is something to compile', () => {
    const main = new URL('../dist/main.js', import.meta.url).href;
    const program = `import { createRequire } from 'node:module';
process.argv.splice(1, Infinity, 'tasker-componentize', '--version');
await import(${JSON.stringify(main)});
const { cache } = createRequire(import.meta.url);
console.log(Object.keys(cache).filter((file) => /[\\\\/](typescript|esbuild)[\\\\/]/.test(file)));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(stdout).toMatch(/^tasker-componentize \d.*\n\[\]\n$/);
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

  it('says what a sound package holds, and what its bundle is made of', () => {
    const directory = packageOf({
      'src/index.ts': `import { of } from 'lib';\nexport const twice = of(2);\n${CHARGE}`,
      'node_modules/lib/package.json': '{ "name": "lib", "types": "index.d.ts", "main": "index.js" }',
      'node_modules/lib/index.d.ts': 'export function of(n: number): number;\n',
      'node_modules/lib/index.js': 'export const of = (n) => 2 * n;\n',
    });
    const { code, out, err } = run('check', directory);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const bytes = String.raw`\d+\.\d kB \(\d+ %\)`;
    expect(out.split('\n')).toEqual([
      expect.stringMatching(/^shop: no errors \(\d+\.\d s\)$/),
      '  namespace       shop_workflow',
      '  handlers        Shop.Charge',
      '  initialization  snapshot: the module top level is pure',
      expect.stringMatching(
        new RegExp(`^  bundle          \\d+\\.\\d kB: @tasker-wasm/guest ${bytes}, shop ${bytes}, lib ${bytes}$`),
      ),
      '',
    ]);
    expect(readdirSync(directory)).not.toContain('dist');
  });

  it('does all packages it is given, names the one that fails, and leaves out what is none', () => {
    const sound = packageOf();
    const wrong = packageOf({ 'src/index.ts': CHARGE.replace('getInput', 'getInputs') });
    const other = packageOf({ 'tasker.toml': null, 'package.json': '{ "scripts": { "build": "jco componentize" } }' });
    const { code, out, err } = run('check', wrong, `${sound}/`, sound, other, join(sound, 'package.json'));
    expect(code).toBe(1);
    expect(out.match(/no errors/g)).toHaveLength(1);
    expect(err.split('\n')).toEqual([
      `${other}: left out: it has no tasker.toml, and its package.json builds it by other means`,
      `${sound}/package.json: left out: it is no module with handlers`,
      `error in ${wrong}: the types do not fit`,
      expect.stringContaining('src/index.ts:7:42: Property'),
      '',
    ]);
  });

  it('tells the small parts of a bundle of many packages as one', () => {
    const parts = Array.from({ length: 10 }, (_, index) => ({ name: `lib${index}`, bytes: 10_000 - index * 1_000 }));
    const initialization = { mode: 'snapshot', reason: 'pure' } as const;
    const result = { name: 'shop', namespace: 'n', initialization, handlers: [], publishers: [], subscriptions: [] };
    expect(checked({ ...result, parts }, '1.0 s')).toMatch(
      /^ {2}bundle {10}55\.0 kB: lib0 10\.0 kB \(18 %\), .*, lib6 4\.0 kB \(7 %\), 3 others 6\.0 kB \(11 %\)$/m,
    );
  });
});
