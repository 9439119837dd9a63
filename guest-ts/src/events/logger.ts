/**
 * `this.logger` of publishers and subscribers: calls in pino's order go to the SDK's log. Created where a publisher is,
 * so that a bundle without any carries none of it.
 */

import { type FieldsFirst, readCall, scalars } from '../logging/fields-first.js';
import { type LogFields, logDebug, logError, logInfo, logTrace, logWarn } from '../logging/index.js';

/** Writes one record: fields first, or the message alone. */
export type EventLogMethod = FieldsFirst;

/** pino's levels. */
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
    (first: unknown, ...rest: unknown[]) => {
      const { fields, message } = readCall(first, rest);
      write(message, { ...scalars(bindings), ...scalars(fields) });
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
