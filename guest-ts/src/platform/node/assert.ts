/** `node:assert`. */

import { isDeepEqual, isDeepStrictEqual } from '../util/deep-equal.js';
import { inspect } from '../util/inspect.js';

type Message = string | Error | undefined;
type Thrower = () => unknown;
/** What an error has to be: of a class, matched by text, alike in properties, or accepted by a function. */
type Expected = (new (...args: never[]) => unknown) | RegExp | Record<string, unknown> | ((error: unknown) => unknown);

interface Failure {
  message?: Message;
  actual?: unknown;
  expected?: unknown;
  operator?: string;
}

export class AssertionError extends Error {
  readonly code = 'ERR_ASSERTION';
  readonly generatedMessage: boolean;
  readonly actual: unknown;
  readonly expected: unknown;
  readonly operator: string | undefined;

  constructor({ message, actual, expected, operator }: Failure) {
    super(message === undefined ? `${inspect(actual)} ${operator} ${inspect(expected)}` : String(message));
    this.name = 'AssertionError';
    this.generatedMessage = message === undefined;
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
  }
}

function check(holds: boolean, failure: Failure): void {
  if (!holds) {
    throw failure.message instanceof Error ? failure.message : new AssertionError(failure);
  }
}

export function ok(...[actual, message]: [actual?: unknown, message?: Message]): void {
  check(Boolean(actual), { message, actual, expected: true, operator: '==' });
}

/** A comparison, and the one that says the opposite. */
function comparison(operator: string, opposite: string, compare: (a: unknown, b: unknown) => boolean) {
  return [
    (actual: unknown, expected: unknown, message?: Message) =>
      check(compare(actual, expected), { message, actual, expected, operator }),
    (actual: unknown, expected: unknown, message?: Message) =>
      check(!compare(actual, expected), { message, actual, expected, operator: opposite }),
  ] as const;
}

// biome-ignore lint/suspicious/noDoubleEquals: that is what it means.
const looselyEqual = (a: unknown, b: unknown) => a == b || (Number.isNaN(a) && Number.isNaN(b));

export const [equal, notEqual] = comparison('==', '!=', looselyEqual);
export const [strictEqual, notStrictEqual] = comparison('strictEqual', 'notStrictEqual', Object.is);
export const [deepEqual, notDeepEqual] = comparison('deepEqual', 'notDeepEqual', isDeepEqual);
export const [deepStrictEqual, notDeepStrictEqual] = comparison(
  'deepStrictEqual',
  'notDeepStrictEqual',
  isDeepStrictEqual,
);
export const [match, doesNotMatch] = comparison('match', 'doesNotMatch', (text, pattern) =>
  (pattern as RegExp).test(String(text)),
);

export function fail(message: Message = 'Failed'): never {
  throw message instanceof Error ? message : new AssertionError({ message, operator: 'fail' });
}

export function ifError(value: unknown): void {
  if (value !== null && value !== undefined) {
    const message = `ifError got unwanted exception: ${value instanceof Error ? value.message : inspect(value)}`;
    throw new AssertionError({ message, actual: value, expected: null, operator: 'ifError' });
  }
}

export function throws(block: Thrower, expected?: Expected | string, message?: Message): void {
  let thrown: { error: unknown } | null = null;
  try {
    block();
  } catch (error) {
    thrown = { error };
  }
  judge(thrown, 'throws', expected, message);
}

export async function rejects(
  block: Promise<unknown> | (() => Promise<unknown>),
  expected?: Expected | string,
  message?: Message,
): Promise<void> {
  judge(await outcome(block), 'rejects', expected, message);
}

export function doesNotThrow(block: Thrower, message?: Message): void {
  try {
    block();
  } catch (error) {
    unwanted(error, 'doesNotThrow', message);
  }
}

export async function doesNotReject(
  block: Promise<unknown> | (() => Promise<unknown>),
  message?: Message,
): Promise<void> {
  const rejected = await outcome(block);
  if (rejected !== null) {
    unwanted(rejected.error, 'doesNotReject', message);
  }
}

async function outcome(block: Promise<unknown> | (() => Promise<unknown>)): Promise<{ error: unknown } | null> {
  try {
    await (typeof block === 'function' ? block() : block);
    return null;
  } catch (error) {
    return { error };
  }
}

function unwanted(error: unknown, operator: string, message: Message): never {
  const text = `Got unwanted exception.\nActual message: "${error instanceof Error ? error.message : inspect(error)}"`;
  throw new AssertionError({ message: message ?? text, actual: error, operator });
}

function judge(
  thrown: { error: unknown } | null,
  operator: string,
  expected: Expected | string | undefined,
  message: Message,
): void {
  const [wanted, text] = typeof expected === 'string' ? [undefined, expected] : [expected, message];
  if (thrown === null) {
    const missing = `Missing expected ${operator === 'rejects' ? 'rejection' : 'exception'}`;
    const of = typeof wanted === 'function' && wanted.name !== '' ? ` (${wanted.name})` : '';
    check(false, { message: text ?? `${missing}${of}.`, operator });
    return;
  }
  const { error } = thrown;
  if (wanted === undefined) {
    return;
  }
  if (typeof wanted === 'function') {
    if (isClass(wanted) ? error instanceof wanted : (wanted as (error: unknown) => unknown)(error) === true) {
      return;
    }
  }
  check(typeof wanted !== 'function' && fits(error, wanted), {
    message: text,
    actual: error,
    expected: wanted,
    operator,
  });
}

function isClass(value: Expected): value is new () => unknown {
  return typeof value === 'function' && value.prototype !== undefined && (isErrorClass(value) || isNative(value));
}

const isErrorClass = (value: Expected) => value === Error || Object.prototype.isPrototypeOf.call(Error, value);
const isNative = (value: Expected) => /^class\b|\[native code\]/.test(Function.prototype.toString.call(value));

function fits(error: unknown, wanted: RegExp | Record<string, unknown>): boolean {
  if (wanted instanceof RegExp) {
    return wanted.test(String(error));
  }
  const keys = wanted instanceof Error ? ['name', 'message', ...Object.keys(wanted)] : Object.keys(wanted);
  return keys.every((key) => {
    const actual = (error as Record<string, unknown> | null)?.[key];
    const expected = wanted[key];
    return typeof actual === 'string' && expected instanceof RegExp
      ? expected.test(actual)
      : isDeepStrictEqual(actual, expected);
  });
}

const all = {
  AssertionError,
  deepEqual,
  deepStrictEqual,
  doesNotMatch,
  doesNotReject,
  doesNotThrow,
  equal,
  fail,
  ifError,
  match,
  notDeepEqual,
  notDeepStrictEqual,
  notEqual,
  notStrictEqual,
  ok,
  rejects,
  strictEqual,
  throws,
};

/** The same, with the names of the loose comparisons for the strict ones. */
export const strict = Object.assign((...args: Parameters<typeof ok>) => ok(...args), all, {
  deepEqual: deepStrictEqual,
  equal: strictEqual,
  notDeepEqual: notDeepStrictEqual,
  notEqual: notStrictEqual,
});

const assert = Object.assign((...args: Parameters<typeof ok>) => ok(...args), all, { strict });
Object.assign(strict, { strict });

export default assert;
