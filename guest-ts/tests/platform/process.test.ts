/** What a component says of itself. */

import { expect, it } from 'vitest';
import { env } from '../../src/platform/node/process.js';
import { process } from '../../src/platform/process.js';
import { SandboxUnsupportedError, unsupportedModule } from '../../src/platform/unsupported.js';

it('the process is a component, in which no library takes itself for one of Node', () => {
  expect(process.platform).toBe('wasi');
  expect(Object.keys(process.versions)).toEqual(['tasker_guest']);
  expect(process.version).toBe(`v${process.versions.tasker_guest}`);
  expect(String(process)).toBe('[object Object]');
});

it('the environment of a package that asks for none is empty, however it is looked at', () => {
  expect([process.env, { ...env }, env.PATH, 'PATH' in env]).toEqual([{}, {}, undefined, false]);
});

it('time goes on', () => {
  const before = process.hrtime();
  const [seconds, nanoseconds] = process.hrtime(before);
  expect(seconds).toBe(0);
  expect(nanoseconds).toBeGreaterThanOrEqual(0);
  expect(process.hrtime.bigint()).toBeGreaterThan(BigInt(before[0]));
});

it('what cannot be is refused for good, saying what to do', () => {
  expect(() => process.exit(1)).toThrow(SandboxUnsupportedError);
  expect(() => process.exit(1)).toThrow(/return a result/);
  expect(new SandboxUnsupportedError('a', 'b')).toMatchObject({ retryable: false, code: 'ERR_SANDBOX_UNSUPPORTED' });
});

it('listeners are taken on and never called', () => {
  expect(process.on().once().off()).toBe(process);
});

it('a module that cannot work can be awaited, taken apart and extended', async () => {
  const net = unsupportedModule('net', 'use fetch') as Record<string, new () => unknown>;
  expect(await net).toBe(net);
  expect(net.__esModule).toBeUndefined();
  const { Socket = Object } = net;
  class Line extends Socket {}
  expect(() => new Line()).toThrow('net#Socket does not work in a component: use fetch');
  expect(net.Socket).toBe(Socket);
});
