/**
 * A logger with pino's methods whose records go to the SDK's log, and from there to the host, which decides where they
 * end up. It keeps nothing but who it is: what a record's fields become is settled when the record is written.
 */

import redactor from '@pinojs/redact';
import { type FieldsFirst, readCall, scalars } from '../logging/fields-first.js';
import { type LogFields, logDebug, logError, logInfo, logTrace, logWarn } from '../logging/index.js';
import type {
  Bindings,
  ChildLoggerOptions,
  Level,
  LevelWithSilentOrString,
  LoggerOptions,
  SerializerFn,
} from './options.js';

/** What `pino()` and `child()` return. */
export interface Logger {
  fatal: FieldsFirst;
  error: FieldsFirst;
  warn: FieldsFirst;
  info: FieldsFirst;
  debug: FieldsFirst;
  trace: FieldsFirst;
  silent: FieldsFirst;
  level: LevelWithSilentOrString;
  readonly levelVal: number;
  readonly levels: { values: Record<string, number>; labels: Record<number, string> };
  readonly msgPrefix: string;
  isLevelEnabled(level: LevelWithSilentOrString): boolean;
  child(bindings: Bindings, options?: ChildLoggerOptions): Logger;
  bindings(): Bindings;
  setBindings(bindings: Bindings): void;
  /** Records leave at once: there is nothing to flush. */
  flush(done?: (error?: Error) => void): void;
}

export const LEVELS: Readonly<Record<string, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
};

/** The host's levels, by the least number that is written with each. */
const WRITERS: ReadonlyArray<[least: number, write: (message: string, fields: LogFields) => void]> = [
  [50, logError],
  [40, logWarn],
  [30, logInfo],
  [20, logDebug],
  [Number.NEGATIVE_INFINITY, logTrace],
];

type Fields = Record<string, unknown>;
type Transform = (fields: Fields) => Fields;

interface Identity {
  bindings: Bindings;
  level: string;
  msgPrefix: string;
  serializers: Record<string, SerializerFn>;
  redact: Transform;
}

export function createLogger(options: LoggerOptions): Logger {
  const { name, base, formatters, customLevels, enabled = true } = options;
  const bindings = { ...(name !== undefined && { name }), ...base };
  const identity: Identity = {
    bindings: { ...(formatters?.bindings?.(bindings) ?? bindings) },
    level: enabled ? 'info' : 'silent',
    msgPrefix: '',
    serializers: {},
    redact: (fields) => fields,
  };
  const { level, ...rest } = options;
  return make(inherit(identity, enabled && level ? { ...rest, level } : rest), options, { ...LEVELS, ...customLevels });
}

function make(identity: Identity, root: LoggerOptions, values: Record<string, number>): Logger {
  const numberOf = (level: string): number => {
    const value = level === 'silent' ? Number.POSITIVE_INFINITY : values[level];
    if (value === undefined) {
      throw new Error(`unknown level ${level}`);
    }
    return value;
  };
  numberOf(identity.level);

  const write = (value: number, first: unknown, rest: unknown[]) => {
    if (value < numberOf(identity.level)) {
      return;
    }
    const call = readCall(first, rest);
    const given = call.fields instanceof Error ? scalars(call.fields) : (call.fields as Fields);
    const mixed: Fields = { ...root.mixin?.(given, value), ...given };
    const fields = serialized({ ...identity.bindings, ...(root.formatters?.log?.(mixed) ?? mixed) }, identity);
    const [, writer] = WRITERS.find(([least]) => value >= least) as (typeof WRITERS)[number];
    writer(identity.msgPrefix + call.message, scalars(identity.redact(fields)));
  };

  const methods = Object.entries(values).map(([level, value]) => [
    level,
    (first: unknown, ...rest: unknown[]) => write(value, first, rest),
  ]);
  return {
    ...(Object.fromEntries(methods) as Record<Level, FieldsFirst>),
    silent: () => {},
    get level() {
      return identity.level;
    },
    set level(level) {
      numberOf(level);
      identity.level = level;
    },
    get levelVal() {
      return numberOf(identity.level);
    },
    levels: { values, labels: Object.fromEntries(Object.entries(values).map(([level, value]) => [value, level])) },
    get msgPrefix() {
      return identity.msgPrefix;
    },
    isLevelEnabled: (level) => level !== 'silent' && (values[level] ?? -1) >= numberOf(identity.level),
    child(bindings, options = {}) {
      const child = inherit(identity, options);
      return make({ ...child, bindings: { ...child.bindings, ...bindings } }, root, values);
    },
    bindings: () => ({ ...identity.bindings }),
    setBindings: (bindings) => {
      identity.bindings = { ...identity.bindings, ...bindings };
    },
    flush: (done) => done?.(),
  };
}

function inherit(parent: Identity, { level, msgPrefix, serializers, redact }: ChildLoggerOptions): Identity {
  return {
    bindings: parent.bindings,
    level: level ?? parent.level,
    msgPrefix: parent.msgPrefix + (msgPrefix ?? ''),
    serializers: { ...parent.serializers, ...serializers },
    redact: redact === undefined ? parent.redact : redaction(redact),
  };
}

function redaction(redact: NonNullable<ChildLoggerOptions['redact']>): Transform {
  const { paths, censor = '[Redacted]', remove = false } = Array.isArray(redact) ? { paths: redact } : redact;
  const apply = redactor({ paths, censor, remove, serialize: false });
  return (fields) => {
    try {
      // `restore` is the library's: it brings back what was redacted.
      const { restore, ...redacted } = apply(fields) as Fields;
      return redacted;
    } catch {
      // What cannot be searched for secrets may hold one.
      return { fields: 'not redactable' };
    }
  };
}

function serialized(fields: Fields, { serializers }: Identity): Fields {
  for (const [name, serialize] of Object.entries(serializers)) {
    if (name in fields) {
      fields[name] = serialize(fields[name]);
    }
  }
  return fields;
}
