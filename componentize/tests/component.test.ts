/** Components at work: the JavaScript engine, the bindings and the SDK together. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { describe, expect, it } from 'vitest';
import { build } from '../dist/index.js';
import { call, instances, repository } from './support/component.js';

/** A component that is not up to date is built first. */
const BUILD_MS = 180_000;

const hostile = join(repository, 'tests/guests/hostile');
const impure = join(repository, 'tests/guests/impure');

describe('a component with a pure top level', () => {
  it(
    'reports every way a handler can fail, with stack frames that lead to its source',
    async () => {
      const { component } = await build(hostile, () => {});
      const instance = await (await instances(component))();
      const { handlers } = instance.handlers.describe();
      expect(handlers.find(({ name }) => name === 'hostile.echo')?.methods).toEqual(['call', 'shout']);

      expect(await call(instance, 'hostile.echo', { a: 'ä€😀' })).toMatchObject({
        val: { result: '{"input":{"a":"ä€😀"},"attempt":0}' },
      });
      expect(await call(instance, 'hostile.echo', {}, 'shout')).toMatchObject({ tag: 'success' });
      expect(await call(instance, 'nobody')).toEqual({ error: { tag: 'handler-not-found', val: 'nobody' } });
      for (const [name, message] of [
        ['throw_string', 'just a string'],
        ['throw_undefined', 'Handler threw undefined'],
        ['throw_trap', 'Handler threw a value that cannot be read'],
        ['recurse', 'too much recursion'],
        ['return_nonsense', 'returned a number'],
        ['return_cycle', 'cannot be stored as JSON'],
        ['return_bigint', 'cannot be stored as JSON'],
      ]) {
        expect(await call(instance, `hostile.${name}`)).toMatchObject({
          tag: 'failure',
          val: { message: expect.stringContaining(message as string) },
        });
      }

      const outcome = await call(instance, 'hostile.throw_error');
      const { backtrace } = (outcome as { val: { backtrace: string[] } }).val;
      const map = new TraceMap(readFileSync(`${component}.map`, 'utf8'));
      const sources = backtrace.map((frame) => {
        const [, name, line, column] = /^(.*)@hostile\.js:(\d+):(\d+)$/.exec(frame) ?? [];
        const { source, line: original } = originalPositionFor(map, { line: Number(line), column: Number(column) - 1 });
        return `${name} ${source}:${original}`;
      });
      const code = readFileSync(join(hostile, 'src/index.ts'), 'utf8').split('\n');
      const lineWith = (text: string) => code.findIndex((line) => line.includes(text)) + 1;
      expect(sources).toContain(`explode src/index.ts:${lineWith('throw new ReactorError')}`);
      expect(sources).toContain(`call src/index.ts:${lineWith("explode('boom')")}`);
      expect(sources.at(-1)).toMatch(/@tasker-wasm\/guest\/src\/component\//);
    },
    BUILD_MS,
  );

  it(
    'takes a big result across in no time',
    async () => {
      const { component } = await build(hostile, () => {});
      const instance = await (await instances(component))();
      const started = performance.now();
      const outcome = await call(instance, 'hostile.huge_result');
      expect((outcome as { val: { result: string } }).val.result).toHaveLength(20_000_011);
      // Counting the bytes of each character in the guest takes a minute.
      expect(performance.now() - started).toBeLessThan(20_000);
    },
    BUILD_MS,
  );
});

describe('a component with an impure top level', () => {
  it(
    'initialises its modules in the call, anew in each instance',
    async () => {
      const { component, initialization } = await build(impure, () => {});
      expect(initialization.mode).toBe('lazy');
      const create = await instances(component);
      const loaded = [];
      for (const instance of [await create(), await create()]) {
        expect(instance.handlers.describe().handlers).toMatchObject([{ name: 'impure.show' }]);
        const outcome = await call(instance, 'impure.show');
        loaded.push(JSON.parse((outcome as { val: { result: string } }).val.result));
      }
      const [first, second] = loaded;
      expect(first.random).not.toBe(second.random);
      expect(first.uuid).not.toBe(second.uuid);
      expect(first.timer).toBe('fired');
      expect(Math.abs(first.called_at - first.loaded_at)).toBeLessThan(60_000);
    },
    BUILD_MS,
  );
});
