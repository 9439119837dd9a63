/**
 * What handlers get when they import `pino`: its logger on the host's log. Where records go and how they look is the
 * operator's affair, so destinations, transports and times are taken and have no effect.
 */

import { createLogger, LEVELS, type Logger as PinoLogger } from './logger.js';
import type {
  Bindings as PinoBindings,
  ChildLoggerOptions as PinoChildLoggerOptions,
  Level as PinoLevel,
  LevelWithSilent as PinoLevelWithSilent,
  LoggerOptions as PinoLoggerOptions,
  SerializerFn as PinoSerializerFn,
} from './options.js';

export type { FieldsFirst as LogFn } from '../logging/fields-first.js';
export type { Logger } from './logger.js';
export type * from './options.js';

/** What stands for a file or a process that records would go to. */
export interface DestinationStream {
  write(record: string): void;
}

const nowhere = {
  write: (_record: string): void => {},
  end: (): void => {},
  flush: (): void => {},
  flushSync: (): void => {},
  on(): unknown {
    return nowhere;
  },
};

export function pino(options: PinoLoggerOptions | DestinationStream = {}, _destination?: unknown): PinoLogger {
  return createLogger(isDestination(options) ? {} : options);
}

function isDestination(options: PinoLoggerOptions | DestinationStream): options is DestinationStream {
  return typeof (options as { write?: unknown }).write === 'function';
}

/** A summary that a record can carry; other than the error itself, which has no JSON form. */
function errorFields(error: unknown): unknown {
  return error instanceof Error ? { ...error, type: error.name, message: error.message, stack: error.stack } : error;
}

const asItIs = <T>(value: T): T => value;
const noTime = (): string => '';

pino.pino = pino;
pino.default = pino;
pino.levels = {
  values: { ...LEVELS },
  labels: Object.fromEntries(Object.entries(LEVELS).map(([level, value]) => [value, level])),
};
pino.stdSerializers = { err: errorFields, errWithCause: errorFields, req: asItIs, res: asItIs };
pino.stdTimeFunctions = { epochTime: noTime, unixTime: noTime, nullTime: noTime, isoTime: noTime };
pino.destination = (_options?: unknown) => nowhere;
pino.transport = (_options?: unknown) => nowhere;
pino.multistream = (_streams?: unknown, _options?: unknown) => nowhere;

/** The names that code finds at `pino.Logger` and the like. */
export declare namespace pino {
  export type Logger = PinoLogger;
  export type LoggerOptions = PinoLoggerOptions;
  export type ChildLoggerOptions = PinoChildLoggerOptions;
  export type Level = PinoLevel;
  export type LevelWithSilent = PinoLevelWithSilent;
  export type Bindings = PinoBindings;
  export type SerializerFn = PinoSerializerFn;
}

export const { levels, stdSerializers, stdTimeFunctions, destination, transport, multistream } = pino;
export default pino;
