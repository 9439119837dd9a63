/**
 * `this.logger` of publishers and subscribers: calls in pino's order, fields first, go to the SDK's log. Created where
 * a publisher is, so that a bundle without any carries none of it.
 */

import { type LogFields, logDebug, logError, logInfo, logTrace, logWarn } from '../logging/index.js';

export interface EventLogMethod {
  (fields: object, message?: string, ...args: unknown[]): void;
  (message: string, ...args: unknown[]): void;
}

export interface EventLogger {
  fatal: EventLogMethod;
  error: EventLogMethod;
  warn: EventLogMethod;
  info: EventLogMethod;
  debug: EventLogMethod;
  trace: EventLogMethod;
  child(bindings: object): EventLogger;
}

type Write = (message: string, fields?: LogFields) => void;

export function eventLogger(bindings: object = { component: 'domain-events' }): EventLogger {
  const method =
    (write: Write): EventLogMethod =>
    (first: object | string, ...rest: unknown[]) => {
      const hasFields = typeof first === 'object' && first !== null;
      const [message, ...args] = hasFields ? rest : [first, ...rest];
      write(format(message, args), { ...plain(bindings), ...(hasFields ? plain(first) : {}) });
    };
  return {
    fatal: method(logError),
    error: method(logError),
    warn: method(logWarn),
    info: method(logInfo),
    debug: method(logDebug),
    trace: method(logTrace),
    child: (more) => eventLogger({ ...bindings, ...more }),
  };
}

/** `%s`, `%d`, `%j` and the like take the arguments in turn; what is left over is dropped, as pino does. */
function format(message: unknown, args: unknown[]): string {
  let next = 0;
  return String(message ?? '').replace(/%[sdifjoO%]/g, (place) => {
    if (place === '%%') {
      return '%';
    }
    return next < args.length ? text(args[next++]) : place;
  });
}

/** Log fields are scalars. */
function plain(fields: object): LogFields {
  if (fields instanceof Error) {
    return { error: fields.message, error_class: fields.name };
  }
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, isScalar(value) ? value : text(value)]));
}

function isScalar(value: unknown): value is LogFields[string] {
  return value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value);
}

function text(value: unknown): string {
  if (value instanceof Error) {
    return `${value.name}: ${value.message}`;
  }
  try {
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  } catch {
    return 'not serializable';
  }
}
