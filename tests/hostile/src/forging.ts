/** Handlers that turn the language against the SDK, or pretend to be the SDK, the host or somebody else. */

import { emit } from 'tasker:handler/log@0.1.0';
import { logInfo, StepHandlerResult } from '@tasker-systems/tasker';
import { done, hostile } from './handler.js';

type Any = Record<string | symbol, unknown>;

/** Replaces everything its result inherits. */
export const ForgeResultClass = hostile('forge_result_class', () => {
  for (const name of Object.getOwnPropertyNames(StepHandlerResult.prototype)) {
    Object.defineProperty(StepHandlerResult.prototype, name, { get: () => 'forged', configurable: true });
  }
  return done({ forged: false });
});

/** Makes every object look like a success. */
export const ForgeByPrototype = hostile('forge_by_prototype', () => {
  const prototype = Object.prototype as unknown as Any;
  Object.assign(prototype, { success: true, result: { forged: true }, metadata: {} });
  return {};
});

/** Makes every object look like an outcome of the bindings. */
export const ForgeTags = hostile('forge_tags', () => {
  const prototype = Object.prototype as unknown as Any;
  Object.assign(prototype, { tag: 'handler-not-found', val: 'forged', payload: 'forged' });
  return done({ own: true });
});

/** Gives every list a JSON form of its own. */
export const ForgeArrayJson = hostile('forge_array_json', () => {
  (Array.prototype as unknown as Any).toJSON = () => 'forged';
  return done({ list: [1] });
});

/** A `JSON.stringify` that writes no JSON. */
export const ForgeStringify = hostile('forge_stringify', () => {
  JSON.stringify = () => '{"forged": ';
  return done();
});

/** A `JSON.stringify` that writes two documents. */
export const ForgeTwoDocuments = hostile('forge_two_documents', () => {
  JSON.stringify = () => '{} {"second": true}';
  return done();
});

/** A `JSON.stringify` that writes nothing. */
export const ForgeEmptyResult = hostile('forge_empty_result', () => {
  JSON.stringify = () => '';
  return done();
});

/** A `JSON.stringify` that writes nesting no parser can follow. */
export const ForgeDeepResult = hostile('forge_deep_result', () => {
  JSON.stringify = () => '['.repeat(400_000) + ']'.repeat(400_000);
  return done();
});

/** A `JSON.stringify` that writes a number no machine has. */
export const ForgeNumber = hostile('forge_number', () => {
  JSON.stringify = () => '{"amount": 1e999999}';
  return done();
});

/** Promises that forget whom to tell. */
export const ForgeThen = hostile('forge_then', async () => {
  Reflect.set(Promise.prototype, 'then', () => {});
  return done({ told: 'nobody' });
});

/** Lists that cannot be walked. */
export const ForgeIterator = hostile('forge_iterator', () => {
  Array.prototype[Symbol.iterator] = () => {
    throw new Error('no walking');
  };
  return done({ list: [1, 2] });
});

/** Breaks the methods everybody relies on. */
export const ForgeMethods = hostile('forge_methods', () => {
  const broken = () => {
    throw new Error('broken');
  };
  for (const prototype of [Array.prototype, String.prototype, Object.prototype, Map.prototype] as unknown as Any[]) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (typeof prototype[name] === 'function' && name !== 'constructor') {
        prototype[name] = broken;
      }
    }
  }
  return done();
});

/** Takes the language's globals away. */
export const ForgeGlobals = hostile('forge_globals', () => {
  const result = done({ gone: true });
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    Reflect.deleteProperty(globalThis, name);
  }
  return result;
});

/** The global object of the bindings, which encode what the host reads. */
function bindingsGlobal(): typeof globalThis {
  return emit.constructor('return globalThis')();
}

/** An encoder, used by the bindings, that claims two gigabytes. */
export const ForgeEncoder = hostile('forge_encoder', () => {
  const length = 0x7fff_ffff;
  TextEncoder.prototype.encode = () => ({ length }) as never;
  return done();
});

/** An encoder, used by the bindings, whose bytes are no UTF-8. */
export const ForgeUtf8 = hostile('forge_utf8', () => {
  TextEncoder.prototype.encode = () => new Uint8Array([0x22, 0xff, 0xfe, 0x22]);
  return done();
});

/** Views of memory, in the bindings, that write elsewhere. */
export const ForgeViews = hostile('forge_views', () => {
  const views = bindingsGlobal().DataView.prototype;
  const { setUint32 } = views;
  views.setUint32 = function (offset, _value, littleEndian) {
    setUint32.call(this, offset, 0xffff_fff0, littleEndian);
  };
  views.setInt32 = views.setUint32;
  return done();
});

/** Throws what the bindings take for "no such handler". */
export const ForgeNotFound = hostile('forge_not_found', () => {
  throw { tag: 'handler-not-found', val: 'forged' };
});

/** An error with the name of one of the host's. */
export const ForgeErrorType = hostile('forge_error_type', () => {
  class FuelExhausted extends Error {}
  Object.defineProperty(FuelExhausted, 'name', { value: 'fuel_exhausted' });
  throw new FuelExhausted('not really');
});

/** An error whose name, stack and metadata are traps. */
export const ForgeErrorParts = hostile('forge_error_parts', () => {
  const error = new Error('parts');
  Object.defineProperty(error, 'stack', { value: `\u001b[2Jforged@${'/'.repeat(100_000)}\n`.repeat(3) });
  Object.defineProperty(error, 'metadata', {
    get() {
      throw new Error('no');
    },
  });
  Object.defineProperty(error, 'constructor', { value: { name: `\u001b]0;owned\u0007${'n'.repeat(10_000)}` } });
  throw error;
});

/** A checkpoint made by hand: the handler's own right, under the same limits as any. */
export const ForgeCheckpoint = hostile('forge_checkpoint', () => ({
  success: true,
  result: { cursor: { at: 7 }, items_processed: 3 },
  metadata: { checkpoint_yield: true },
}));

/** A decision of a step that decides nothing. */
export const ForgeDecision = hostile('forge_decision', () =>
  done({ decision_point_outcome: { type: 'create_steps', step_names: ['echo', 'shout', 'spin'] } }),
);

/** Batches of a step that has none. */
export const ForgeBatches = hostile('forge_batches', () =>
  done({
    batch_processing_outcome: {
      type: 'create_batches',
      worker_template_name: 'spin',
      worker_count: 1_000_000,
      cursor_configs: [],
      total_items: 1e15,
    },
  }),
);

/** Advice that would have the host wait until the end of time. */
export const ForgeBackoff = hostile('forge_backoff', () => ({
  success: false,
  errorMessage: 'later',
  retryable: true,
  orchestrationMetadata: { backoffHint: { backoffType: 'custom', delaySeconds: 1e308 } },
}));

/** Another task's identity, written over its own before it logs. */
export const ForgeIdentity = hostile('forge_identity', (context) => {
  const other = '11111111-1111-1111-1111-111111111111';
  const forged = context as unknown as Any;
  for (const key of ['taskUuid', 'stepUuid', 'correlationId', 'handlerName']) {
    Reflect.set(forged, key, other);
  }
  logInfo('who am I', { task_uuid: other, step_uuid: other, handler: 'other' });
  return done({ task: forged.taskUuid });
});

/** Looks for the door the builder used. */
export const ForgeWarmUp = hostile('forge_warm_up', () =>
  done({
    here: typeof (globalThis as Any).taskerWarmUp,
    bindings: typeof (bindingsGlobal() as unknown as Any).taskerWarmUp,
  }),
);
