/** Log calls in pino's order: fields first or not at all, then the message and what fills its places. */

import type { LogFields } from './index.js';

/** Writes one record: fields first, or the message alone. */
export interface FieldsFirst {
  (fields: unknown, message?: string, ...args: unknown[]): void;
  (message: string, ...args: unknown[]): void;
}

/** An error that stands where fields do speaks for itself when there is no message. */
export function readCall(first: unknown, rest: readonly unknown[]): { fields: object; message: string } {
  if (typeof first !== 'object' || first === null) {
    return { fields: {}, message: format(first, rest) };
  }
  const [message, ...args] = rest;
  return {
    fields: first,
    message: message === undefined && first instanceof Error ? first.message : format(message, args),
  };
}

/** `%s`, `%d`, `%j` and the like take the arguments in turn; what is left over is dropped, as pino does. */
function format(message: unknown, args: readonly unknown[]): string {
  let next = 0;
  return String(message ?? '').replace(/%[sdifjoO%]/g, (place) => {
    if (place === '%%') {
      return '%';
    }
    return next < args.length ? text(args[next++]) : place;
  });
}

/** Log fields are scalars. */
export function scalars(fields: object): LogFields {
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
