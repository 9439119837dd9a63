/**
 * Structured logging.
 *
 * Records go to the installed runtime; in a component that is the host's log. Without one, or when it throws, a
 * record becomes a line on the console: a log call never fails its caller.
 */

/** Fields of a record; those that are undefined are left out. */
export interface LogFields {
  [key: string]: string | number | boolean | null | undefined;
}

/** Writes one record. */
export type LogMethod = (message: string, fields: Record<string, string | number | boolean | null>) => void;

/** Where log records go. */
export interface LoggingRuntime {
  logError: LogMethod;
  logWarn: LogMethod;
  logInfo: LogMethod;
  logDebug: LogMethod;
  logTrace: LogMethod;
}

let installed: LoggingRuntime | null = null;

/** Says where log records go; a component does it by itself. */
export function setLoggingRuntime(runtime: LoggingRuntime): void {
  installed = runtime;
}

/** Lets log records be lines on the console. */
export function clearLoggingRuntime(): void {
  installed = null;
}

/** For who takes its place for a while, and puts it back with `restoreLoggingRuntime`. */
export function currentLoggingRuntime(): LoggingRuntime | null {
  return installed;
}

export function restoreLoggingRuntime(runtime: LoggingRuntime | null): void {
  installed = runtime;
}

/** A record of what cannot be mended here. */
export function logError(message: string, fields?: LogFields): void {
  write('logError', 'ERROR', message, fields);
}

/** A record of what is not as it should be. */
export function logWarn(message: string, fields?: LogFields): void {
  write('logWarn', 'WARN', message, fields);
}

/** A record of what happened. */
export function logInfo(message: string, fields?: LogFields): void {
  write('logInfo', 'INFO', message, fields);
}

/** A record of what helps to find an error. */
export function logDebug(message: string, fields?: LogFields): void {
  write('logDebug', 'DEBUG', message, fields);
}

/** A record of every turn. */
export function logTrace(message: string, fields?: LogFields): void {
  write('logTrace', 'TRACE', message, fields);
}

/** The five levels, with fields of its own. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  trace(message: string, fields?: LogFields): void;
}

/** A logger that adds `defaultFields` to every record; the fields of the call win. */
export function createLogger(defaultFields: LogFields): Logger {
  return {
    error: (message, fields) => logError(message, { ...defaultFields, ...fields }),
    warn: (message, fields) => logWarn(message, { ...defaultFields, ...fields }),
    info: (message, fields) => logInfo(message, { ...defaultFields, ...fields }),
    debug: (message, fields) => logDebug(message, { ...defaultFields, ...fields }),
    trace: (message, fields) => logTrace(message, { ...defaultFields, ...fields }),
  };
}

function write(method: keyof LoggingRuntime, level: string, message: string, fields: LogFields | undefined): void {
  if (installed !== null) {
    try {
      installed[method](message, withoutUndefined(fields));
      return;
    } catch {
      // The line below is the record's last resort.
    }
  }
  console.log(`[${new Date().toISOString()}] ${level}: ${message}${fields === undefined ? '' : ` ${asJson(fields)}`}`);
}

/** A copy, by index: an iterator over the keys would cost a step as much as writing the record does. */
function withoutUndefined(fields: LogFields | undefined): Record<string, string | number | boolean | null> {
  const kept = { ...fields };
  const keys = Object.keys(kept);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (kept[key] === undefined) {
      delete kept[key];
    }
  }
  return kept as Record<string, string | number | boolean | null>;
}

function asJson(fields: LogFields): string {
  try {
    return JSON.stringify(fields);
  } catch {
    return '{"fields":"not serializable"}';
  }
}
