/** The logger of publishers and subscribers: pino's order of arguments, the SDK's records. */

import { afterEach, expect, it } from 'vitest';
import { eventLogger } from '../../src/events/logger.js';
import { clearLoggingRuntime, type LoggingRuntime, setLoggingRuntime } from '../../src/index.js';

afterEach(clearLoggingRuntime);

function recorded(): unknown[][] {
  const records: unknown[][] = [];
  const methods = ['logError', 'logWarn', 'logInfo', 'logDebug', 'logTrace'] as const;
  setLoggingRuntime(
    Object.fromEntries(
      methods.map((method) => [method, (...record: unknown[]) => records.push([method, ...record])]),
    ) as unknown as LoggingRuntime,
  );
  return records;
}

it('fields come first or not at all, and arguments fill the message', () => {
  const records = recorded();
  const log = eventLogger({ component: 'c' });
  log.info('plain');
  log.warn({ n: 1, list: [1], nothing: undefined, cause: new RangeError('no') }, 'with %s and %d, 100%%', 'text', 7);
  log.error(new TypeError('bad'), 'failed: %j %s', { a: 1 });
  log.debug({ n: 1 });
  log.child({ request: 'r' }).fatal('over');
  log.trace('deep');
  expect(records).toEqual([
    ['logInfo', 'plain', { component: 'c' }],
    ['logWarn', 'with text and 7, 100%', { component: 'c', n: 1, list: '[1]', cause: 'RangeError: no' }],
    ['logError', 'failed: {"a":1} %s', { component: 'c', error: 'bad', error_class: 'TypeError' }],
    ['logDebug', '', { component: 'c', n: 1 }],
    ['logError', 'over', { component: 'c', request: 'r' }],
    ['logTrace', 'deep', { component: 'c' }],
  ]);
});

it('a field without a JSON form does not fail the call', () => {
  const records = recorded();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  eventLogger({}).info({ cycle }, 'odd');
  expect(records).toEqual([['logInfo', 'odd', { cycle: 'not serializable' }]]);
});
