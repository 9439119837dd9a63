/** Handlers that return what is no result, or too much of one. */

import { StepHandlerResult } from '@tasker-systems/tasker';
import { done, hostile, megabytes } from './handler.js';

/** One text of 20 MB. */
export const HugeResult = hostile('huge_result', () => done({ blob: 'x'.repeat(20_000_000) }));

/** 2 MB of JSON: more than a result may have, and little enough to get there. */
export const LargeResult = hostile('large_result', () => done({ list: megabytes(2) }));

/** 2 MB beside the result. */
export const LargeMetadata = hostile('large_metadata', () => StepHandlerResult.success({}, { list: megabytes(2) }));

/** A small list that names one large text again and again. */
export const MultiplyingResult = hostile('multiplying_result', () => {
  const text = 'x'.repeat(100_000);
  return done({ list: new Array(10_000).fill(text) });
});

/** A number. */
export const ReturnNonsense = hostile('return_nonsense', async () => 42);

/** Nothing. */
export const ReturnNothing = hostile('return_nothing', async () => undefined);

/** Something that contains itself. */
export const ReturnCycle = hostile('return_cycle', async () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  return done(cycle);
});

/** A number that JSON does not have. */
export const ReturnBigInt = hostile('return_bigint', async () => done({ amount: 10n }));

/** A result that cannot be read. */
export const ReturnThrowingGetter = hostile('return_throwing_getter', () =>
  done({
    get amount() {
      throw new Error('not yours');
    },
  }),
);

/** A result that cannot even be asked whether it is one. */
export const ReturnThrowingResult = hostile('return_throwing_result', () => ({
  get success() {
    throw new Error('not yours');
  },
}));

/** A result whose `toJSON` says nothing. */
export const ReturnLyingToJson = hostile('return_lying_to_json', () => done({ toJSON: () => undefined }));

/** A result that is a function. */
export const ReturnFunction = hostile('return_function', () => ({ success: true, result: () => 'x' }));

/** Values that JSON has no words for. */
export const ReturnNoJson = hostile('return_no_json', () =>
  done({
    nan: Number.NaN,
    infinite: Number.POSITIVE_INFINITY,
    nothing: undefined,
    call: () => 1,
    symbol: Symbol('s'),
    list: [undefined, Symbol('s'), () => 1],
    map: new Map([['a', 1]]),
    date: new Date(Number.NaN),
  }),
);

/** A key that changes prototypes wherever a result is merged carelessly. */
export const ReturnProto = hostile('return_proto', () =>
  done(JSON.parse('{"__proto__": {"admin": true}, "constructor": {"prototype": {"admin": true}}}')),
);

/** JSON nested deeper than parsers like. */
export const ReturnDeep = hostile('return_deep', () => {
  let value: unknown = 'deep';
  for (let depth = 0; depth < 1_000; depth += 1) {
    value = { value };
  }
  return done({ value });
});

/** Half a character. */
export const ReturnSurrogate = hostile('return_surrogate', () => done({ text: 'half \ud83d' }));

/** Half a character, as a key. */
export const ReturnSurrogateKey = hostile('return_surrogate_key', () => done({ 'half \udc00': 1 }));

/** A character that no text column holds. */
export const ReturnNul = hostile('return_nul', () => done({ text: 'a\u0000b' }));

/** A failure with a message of five megabytes. */
export const HugeMessage = hostile('huge_message', () => StepHandlerResult.failure('x'.repeat(5_000_000)));

/** A failure whose every text is long and full of control characters. */
export const DirtyFailure = hostile('dirty_failure', () =>
  StepHandlerResult.failure(
    `\u001b[2J\u0007line\n${'m'.repeat(20_000)}`,
    `\u001b[31m${'t'.repeat(5_000)}`,
    false,
    {},
    `\u202e${'c'.repeat(5_000)}`,
  ),
);

/** A failure that carries a character that no text column holds. */
export const FailWithNul = hostile('fail_with_nul', () => StepHandlerResult.failure('a\u0000b', 'c\u0000d'));

/** A failure with metadata that cannot be stored. */
export const FailWithBadMetadata = hostile('fail_with_bad_metadata', () =>
  StepHandlerResult.failure('failed', 'handler_error', true, { text: 'a\u0000b' }),
);
