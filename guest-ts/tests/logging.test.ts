import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  clearLoggingRuntime,
  createLogger,
  type LoggingRuntime,
  logDebug,
  logError,
  logInfo,
  logTrace,
  logWarn,
  setLoggingRuntime,
} from '../src/index.js';

const runtime = {
  logError: vi.fn<LoggingRuntime['logError']>(),
  logWarn: vi.fn<LoggingRuntime['logWarn']>(),
  logInfo: vi.fn<LoggingRuntime['logInfo']>(),
  logDebug: vi.fn<LoggingRuntime['logDebug']>(),
  logTrace: vi.fn<LoggingRuntime['logTrace']>(),
};
const functions = [
  ['logError', 'ERROR', logError],
  ['logWarn', 'WARN', logWarn],
  ['logInfo', 'INFO', logInfo],
  ['logDebug', 'DEBUG', logDebug],
  ['logTrace', 'TRACE', logTrace],
] as const;

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
});

afterEach(() => {
  clearLoggingRuntime();
  for (const method of Object.values(runtime)) {
    method.mockReset();
  }
});

describe.each(functions)('%s', (method, level, log) => {
  it('goes to the installed runtime, and nowhere else', () => {
    setLoggingRuntime(runtime);
    log('charged', { order: 7, card: null, ok: true });
    expect(runtime[method]).toHaveBeenCalledExactlyOnceWith('charged', { order: 7, card: null, ok: true });
    expect(console.log).not.toHaveBeenCalled();
  });

  it('is a line on the console where there is no runtime', () => {
    log('charged', { order: 7 });
    expect(console.log).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(new RegExp(`^\\[\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\] ${level}: charged \\{"order":7\\}$`)),
    );
  });
});

it('fields that are undefined are left out', () => {
  setLoggingRuntime(runtime);
  logInfo('charged', { order: 7, card: undefined });
  expect(runtime.logInfo).toHaveBeenCalledWith('charged', { order: 7 });
  clearLoggingRuntime();
  logInfo('charged', { order: 7, card: undefined });
  expect(console.log).toHaveBeenCalledWith(expect.stringMatching(/ \{"order":7\}$/));
});

it('fields may be missing', () => {
  setLoggingRuntime(runtime);
  logInfo('charged');
  expect(runtime.logInfo).toHaveBeenCalledWith('charged', {});
  clearLoggingRuntime();
  logInfo('charged');
  expect(console.log).toHaveBeenCalledWith(expect.stringMatching(/INFO: charged$/));
});

it('a record is a line on the console when the runtime throws', () => {
  runtime.logInfo.mockImplementation(() => {
    throw new Error('no host');
  });
  setLoggingRuntime(runtime);
  logInfo('charged', { order: 7 });
  expect(console.log).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/INFO: charged \{"order":7\}$/));
});

it('fields without a JSON form cost the fields, not the record', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  logInfo('charged', cycle as never);
  expect(console.log).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('INFO: charged '));
});

it('a logger adds its fields to every record, and those of the call win', () => {
  setLoggingRuntime(runtime);
  const log = createLogger({ component: 'payments', operation: 'charge' });
  log.error('e', { operation: 'refund' });
  log.warn('w');
  log.info('i', { order: 7 });
  log.debug('d');
  log.trace('t');
  expect(runtime.logError).toHaveBeenCalledWith('e', { component: 'payments', operation: 'refund' });
  expect(runtime.logWarn).toHaveBeenCalledWith('w', { component: 'payments', operation: 'charge' });
  expect(runtime.logInfo).toHaveBeenCalledWith('i', { component: 'payments', operation: 'charge', order: 7 });
  expect(runtime.logDebug).toHaveBeenCalledOnce();
  expect(runtime.logTrace).toHaveBeenCalledOnce();
});
