/** Handlers whose calls, or whose data, are nested without end. */

import { done, hostile } from './handler.js';

function descend(depth: number): number {
  return descend(depth + 1) + 1;
}

/** Calls itself until the stack ends. */
export const Recurse = hostile('recurse', () => done({ depth: descend(0) }));

/** Two functions that call each other. */
export const RecurseMutually = hostile('recurse_mutually', () => {
  const ping = (depth: number): number => pong(depth + 1) + 1;
  const pong = (depth: number): number => ping(depth + 1) + 1;
  return done({ depth: ping(0) });
});

/** An async function that calls itself before it waits for anything. */
export const RecurseAsync = hostile('recurse_async', () => {
  const descendAsync = async (depth: number): Promise<number> => (await descendAsync(depth + 1)) + 1;
  return descendAsync(0).then((depth) => done({ depth }));
});

/** Catches the end of the stack, and goes on from there. */
export const RecurseAndCatch = hostile('recurse_and_catch', () => {
  let caught = 0;
  const again = (): void => {
    try {
      again();
    } catch {
      caught += 1;
      throw new Error('again');
    }
  };
  try {
    again();
  } catch {
    // That is the point.
  }
  return done({ caught: caught > 0 });
});

/** Each catch of the end of the stack tries twice more: exponential work in a bounded stack. */
export const RecurseTwice = hostile('recurse_twice', () => {
  const twice = (): void => {
    try {
      twice();
    } finally {
      twice();
    }
  };
  twice();
});

/** Lists nested deeper than any stack, as text. */
export const RecurseInParse = hostile('recurse_in_parse', () => done({ value: JSON.parse('['.repeat(1_000_000)) }));

/** Lists nested deeper than any stack, as a result. */
export const RecurseInStringify = hostile('recurse_in_stringify', () => {
  let value: unknown[] = [];
  for (let depth = 0; depth < 100_000; depth += 1) {
    value = [value];
  }
  return done({ value });
});

/** A `toJSON` that stringifies itself. */
export const RecurseInToJson = hostile('recurse_in_to_json', () => {
  const value = { toJSON: (): string => JSON.stringify(value) };
  return done({ value });
});

/** A `toString` that converts itself. */
export const RecurseInToString = hostile('recurse_in_to_string', () => {
  const value = { toString: (): string => `${value}` };
  return done({ value: String(value) });
});

/** A getter that reads itself. */
export const RecurseInGetter = hostile('recurse_in_getter', () => {
  const value = {
    get itself(): unknown {
      return this.itself;
    },
  };
  return done({ value });
});

/** A proxy whose prototype is a proxy whose prototype is the first. */
export const RecurseInProxy = hostile('recurse_in_proxy', () => {
  const value: Record<string, unknown> = new Proxy({}, { get: (_, key) => value[key as string] });
  return value;
});

/** A regular expression of nested groups. */
export const RecurseInRegex = hostile('recurse_in_regex', () => {
  const nested = new RegExp(`${'('.repeat(50_000)}a${')'.repeat(50_000)}`);
  return done({ matches: nested.test('a') });
});

/** Code of nested parentheses. */
export const RecurseInEval = hostile('recurse_in_eval', () =>
  done({ value: new Function(`return ${'('.repeat(100_000)}1${')'.repeat(100_000)}`)() }),
);

/** A function bound a hundred thousand times over. */
export const RecurseInBind = hostile('recurse_in_bind', () => {
  let bound: () => number = () => 1;
  for (let depth = 0; depth < 100_000; depth += 1) {
    bound = bound.bind(null);
  }
  return done({ value: bound() });
});

/** An error whose cause is an error whose cause is the first. */
export const RecurseInCause = hostile('recurse_in_cause', () => {
  const error = new Error('its own cause');
  error.cause = error;
  throw error;
});
