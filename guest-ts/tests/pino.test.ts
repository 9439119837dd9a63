/** What handlers get when they import pino. */

import pinoDefault, { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearLoggingRuntime, type LoggingRuntime, setLoggingRuntime } from '../src/index.js';

let records: unknown[][];

beforeEach(() => {
  records = [];
  const keep =
    (level: string) =>
    (...record: unknown[]) =>
      records.push([level, ...record]);
  setLoggingRuntime({
    logError: keep('error'),
    logWarn: keep('warn'),
    logInfo: keep('info'),
    logDebug: keep('debug'),
    logTrace: keep('trace'),
  } as LoggingRuntime);
});

afterEach(clearLoggingRuntime);

const METHODS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

const logAll = (log: Logger) => {
  for (const method of METHODS) {
    log[method](method);
  }
  log.silent('nothing');
};

describe('a logger', () => {
  it('is the default export, a named one, and either’s own', () => {
    expect(pinoDefault).toBe(pino);
    expect(pino.pino).toBe(pino);
    expect(pino.default).toBe(pino);
  });

  it('writes with the host’s levels, from info on', () => {
    logAll(pino());
    expect(records.map(([level, message]) => [level, message])).toEqual([
      ['info', 'info'],
      ['warn', 'warn'],
      ['error', 'error'],
      ['error', 'fatal'],
    ]);
  });

  it('writes from the level it is given on, and from another when that is set', () => {
    const log = pino({ level: 'trace' });
    logAll(log);
    expect(records).toHaveLength(6);
    log.level = 'error';
    logAll(log);
    expect(records).toHaveLength(8);
    expect([log.level, log.levelVal]).toEqual(['error', 50]);
    expect([log.isLevelEnabled('warn'), log.isLevelEnabled('error'), log.isLevelEnabled('fatal')]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it.each([{ level: 'silent' }, { enabled: false }, { enabled: false, level: 'info' }])(
    'says nothing with %j',
    (options) => {
      const log = pino(options);
      logAll(log);
      expect(records).toEqual([]);
      expect(log.isLevelEnabled('fatal')).toBe(false);
    },
  );

  it('has no levels but those it knows', () => {
    expect(() => pino({ level: 'loud' })).toThrow('unknown level loud');
    expect(() => {
      pino().level = 'loud';
    }).toThrow('unknown level loud');
    expect(pino().isLevelEnabled('loud')).toBe(false);
  });

  it('has levels of its own', () => {
    const log = pino({ customLevels: { audit: 35 }, level: 'audit' }) as Logger & Record<'audit', Logger['info']>;
    log.info('no');
    log.audit({ by: 'me' }, 'yes');
    expect(records).toEqual([['info', 'yes', { by: 'me' }]]);
    expect([log.levels.values.audit, log.levels.labels[35]]).toEqual([35, 'audit']);
  });

  it('takes fields first or not at all, and fills the places of the message', () => {
    const log = pino();
    log.info('plain');
    log.info({ n: 1, list: [1] }, 'with %s, %d, %j and %o, 100%%', 'text', 7, { a: 1 }, [2]);
    log.info({ n: 1 });
    log.info('left %s', 'over', 'dropped');
    log.info('short of %s');
    log.info(undefined, 'nothing');
    expect(records).toEqual([
      ['info', 'plain', {}],
      ['info', 'with text, 7, {"a":1} and [2], 100%', { n: 1, list: '[1]' }],
      ['info', '', { n: 1 }],
      ['info', 'left over', {}],
      ['info', 'short of %s', {}],
      ['info', '', {}],
    ]);
  });

  it('takes an error, alone or among the fields', () => {
    const log = pino();
    log.error(new TypeError('bad'));
    log.error(new TypeError('bad'), 'failed');
    log.error({ err: new RangeError('worse') }, 'failed');
    expect(records).toEqual([
      ['error', 'bad', { error: 'bad', error_class: 'TypeError' }],
      ['error', 'failed', { error: 'bad', error_class: 'TypeError' }],
      ['error', 'failed', { err: 'RangeError: worse' }],
    ]);
  });

  it('never fails its caller for a field that has no JSON form', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    pino().info({ cycle }, 'odd');
    const censor = () => {
      throw new Error('odd');
    };
    pino({ redact: { paths: ['token'], censor } }).info({ token: 't', other: 1 }, 'odd');
    expect(records).toEqual([
      ['info', 'odd', { cycle: 'not serializable' }],
      ['info', 'odd', { fields: 'not redactable' }],
    ]);
  });

  it('has children with fields, a level, a prefix and serializers of their own', () => {
    const log = pino({ name: 'shop', base: { region: 'eu' }, msgPrefix: '[shop] ' });
    const child = log.child(
      { order: 7 },
      { level: 'debug', msgPrefix: '[order] ', serializers: { card: () => '****' } },
    );
    child.debug({ card: '1234', order: 8 }, 'charged');
    child.child({ item: 1 }).info('packed');
    log.debug('no');
    log.info({ card: 'ace' }, 'drawn');
    expect(records).toEqual([
      ['debug', '[shop] [order] charged', { name: 'shop', region: 'eu', order: 8, card: '****' }],
      ['info', '[shop] [order] packed', { name: 'shop', region: 'eu', order: 7, item: 1 }],
      ['info', '[shop] drawn', { name: 'shop', region: 'eu', card: 'ace' }],
    ]);
    expect(child.bindings()).toEqual({ name: 'shop', region: 'eu', order: 7 });
    child.setBindings({ more: true });
    expect([child.bindings().more, log.bindings().more]).toEqual([true, undefined]);
  });

  it('redacts what must not be logged, and leaves the caller’s object alone', () => {
    const fields = { user: { name: 'a', password: 'p' }, tokens: [{ value: 't' }], other: 1 };
    const paths = ['user.password', 'tokens[*].value'];
    pino({ redact: paths }).info(fields, 'who');
    pino({ redact: { paths, censor: '-' } }).info(fields, 'who');
    pino({ redact: { paths, remove: true } })
      .child({ user: { password: 'q' } })
      .info('who');
    expect(records).toEqual([
      ['info', 'who', { user: '{"name":"a","password":"[Redacted]"}', tokens: '[{"value":"[Redacted]"}]', other: 1 }],
      ['info', 'who', { user: '{"name":"a","password":"-"}', tokens: '[{"value":"-"}]', other: 1 }],
      ['info', 'who', { user: '{}' }],
    ]);
    expect(fields.user.password).toBe('p');
  });

  it('asks mixin and formatters for the fields', () => {
    const log = pino({
      name: 'shop',
      mixin: (_fields, level) => ({ level, seen: true }),
      formatters: { bindings: ({ name }) => ({ service: name }), log: (fields) => ({ ...fields, formatted: true }) },
    });
    log.info({ seen: 1 }, 'hello');
    expect(records).toEqual([['info', 'hello', { service: 'shop', level: 30, seen: 1, formatted: true }]]);
  });
});

describe('what says where records go', () => {
  it('is taken and has no effect', () => {
    const log = pino({ transport: { target: 'pino-pretty', options: { colorize: true } } }, pino.destination(1));
    log.info('one');
    pino(pretty({ colorize: true })).info('two');
    pino({}, pino.multistream([{ stream: pino.transport({ target: 'x' }) }])).info('three');
    log.flush();
    expect(records.map(([, message]) => message)).toEqual(['one', 'two', 'three']);
  });

  it('has the helpers of the original', () => {
    expect(pino.levels.values).toEqual({ trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 });
    expect(pino.levels.labels[60]).toBe('fatal');
    const log = pino({ timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: pino.stdSerializers.err } });
    log.error({ err: new TypeError('bad') }, 'failed');
    expect(JSON.parse((records[0] as [string, string, { err: string }])[2].err)).toMatchObject({
      type: 'TypeError',
      message: 'bad',
    });
  });
});
