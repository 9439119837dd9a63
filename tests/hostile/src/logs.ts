/** Handlers that abuse the log: what a person, a terminal or a machine reads there. */

import { emit } from 'tasker:handler/log@0.1.0';
import { createLogger, logError, logInfo } from '@tasker-systems/tasker';
import { done, hostile, tried } from './handler.js';

/** More records than anybody reads. */
export const LogFlood = hostile('log_flood', (context) => {
  const lines = context.getInputOr('lines', 100_000);
  const log = createLogger({ component: 'flood' });
  for (let line = 0; line < lines; line += 1) {
    log.info('flood '.repeat(20), { line });
  }
  return done({ lines });
});

/** Few records, each enormous. */
export const LogBytes = hostile('log_bytes', () => {
  for (let line = 0; line < 20; line += 1) {
    logInfo(`bytes ${'b'.repeat(100_000)}`);
  }
  return done();
});

/** Sequences that colour, clear, retitle and write to a terminal's clipboard, and turn the reading direction. */
export const LogEscapes = hostile('log_escapes', () => {
  logError(
    '\u001b[2J\u001b[31mred\u0007 \u001b]0;owned\u0007 \u001b]52;c;b3duZWQ=\u0007 \u009b31m \u202egnp.exe\u2066 \u0000\b\r',
  );
  logInfo('fields', { '\u001b[31mkey': '\u001b[2J\u202evalue\u009b' });
  return done();
});

/** Records that contain others. */
export const LogForgedLines = hostile('log_forged_lines', () => {
  const forged = '2026-01-01T00:00:00.000000Z ERROR tasker_wasm_host::host: the database is gone';
  logInfo(`all well\n${forged}\r\n${forged}\u2028${forged}\u0085${forged}`);
  logInfo('all well', { note: `x\n${forged}` });
  return done();
});

/** Fields larger than the log. */
export const LogHugeFields = hostile('log_huge_fields', () => {
  logInfo('huge', { field: 'f'.repeat(1_000_000) });
  logInfo('many', Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`field${index}`, index])));
  return done();
});

/** Fields nested deeper than any parser goes. */
export const LogDeepFields = hostile('log_deep_fields', () => {
  emit('info', 'deep', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`);
  return done();
});

/** Fields that contain themselves. */
export const LogCycle = hostile('log_cycle', () => {
  const fields: Record<string, unknown> = {};
  fields.self = fields;
  logInfo('cycle', fields as never);
  return done();
});

/** Calls the host's log without the SDK: levels that are none, fields that are no JSON. */
export const LogRaw = hostile('log_raw', () => {
  const raw = emit as (...args: unknown[]) => void;
  return done({
    level: tried(() => raw('shout', 'x', '{}')),
    message: tried(() => raw('info', { not: 'text' }, '{}')),
    fields: tried(() => raw('info', 'raw fields', '{not json\n\u001b[31m')),
    list: tried(() => raw('info', 'raw list', '[1, 2]')),
  });
});

/** Standard output and standard error, which nobody watches. */
export const LogConsole = hostile('log_console', () => {
  for (let line = 0; line < 1_000; line += 1) {
    console.log(`\u001b[31mout ${'o'.repeat(500)}`);
    console.error(`\u001b[31merr ${'e'.repeat(500)}`);
  }
  return done();
});
