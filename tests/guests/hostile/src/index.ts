/** Handlers that misbehave, each in one way. The host has to survive them all. */

import { entries } from 'tasker:handler/config@0.1.0';
import { cancellationRequested, remainingMs } from 'tasker:handler/execution@0.1.0';
import {
  createLogger,
  logInfo,
  PermanentError,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';

/** Never yields and never ends. */
export class Spin extends StepHandler {
  static handlerName = 'hostile.spin';

  async call(): Promise<StepHandlerResult> {
    for (;;) {}
  }
}

/** Never ends either, but hands control to the engine's job queue all the time. */
export class SpinMicrotasks extends StepHandler {
  static handlerName = 'hostile.spin_microtasks';

  async call(): Promise<StepHandlerResult> {
    for (;;) {
      await null;
    }
  }
}

/** Keeps what it allocates. */
export class Allocate extends StepHandler {
  static handlerName = 'hostile.allocate';

  async call(): Promise<StepHandlerResult> {
    const kept: Uint8Array[] = [];
    for (;;) {
      kept.push(new Uint8Array(1 << 20).fill(kept.length + 1));
    }
  }
}

/** Calls itself until the stack ends. */
export class Recurse extends StepHandler {
  static handlerName = 'hostile.recurse';

  async call(): Promise<StepHandlerResult> {
    return this.success({ depth: descend(0) });
  }
}

function descend(depth: number): number {
  return descend(depth + 1) + 1;
}

export class ThrowError extends StepHandler {
  static handlerName = 'hostile.throw_error';

  async call(): Promise<StepHandlerResult> {
    return explode('boom');
  }
}

class ReactorError extends Error {}

function explode(what: string): never {
  throw new ReactorError(what);
}

export class ThrowPermanent extends StepHandler {
  static handlerName = 'hostile.throw_permanent';

  async call(): Promise<StepHandlerResult> {
    throw new PermanentError('no use trying again', { account: 'A-1' });
  }
}

export class ThrowString extends StepHandler {
  static handlerName = 'hostile.throw_string';

  async call(): Promise<StepHandlerResult> {
    throw 'just a string';
  }
}

export class ThrowUndefined extends StepHandler {
  static handlerName = 'hostile.throw_undefined';

  async call(): Promise<StepHandlerResult> {
    throw undefined;
  }
}

/** Throws something that throws wherever it is touched. */
export class ThrowTrap extends StepHandler {
  static handlerName = 'hostile.throw_trap';

  async call(): Promise<StepHandlerResult> {
    const touch = () => {
      throw new Error('touched');
    };
    throw new Proxy(
      {},
      { get: touch, has: touch, getPrototypeOf: touch, getOwnPropertyDescriptor: touch, ownKeys: touch },
    );
  }
}

export class ReturnNonsense extends StepHandler {
  static handlerName = 'hostile.return_nonsense';

  async call(): Promise<StepHandlerResult> {
    return 42 as unknown as StepHandlerResult;
  }
}

export class ReturnCycle extends StepHandler {
  static handlerName = 'hostile.return_cycle';

  async call(): Promise<StepHandlerResult> {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return this.success(cycle);
  }
}

export class ReturnBigInt extends StepHandler {
  static handlerName = 'hostile.return_bigint';

  async call(): Promise<StepHandlerResult> {
    return this.success({ amount: 10n });
  }
}

export class NeverSettle extends StepHandler {
  static handlerName = 'hostile.never_settle';

  call(): Promise<StepHandlerResult> {
    return new Promise(() => {});
  }
}

/** Waits, without computing, far longer than any deadline. */
export class SleepForever extends StepHandler {
  static handlerName = 'hostile.sleep_forever';

  async call(): Promise<StepHandlerResult> {
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
    return this.success({});
  }
}

export class ThrowInConstructor extends StepHandler {
  static handlerName = 'hostile.throw_in_constructor';

  constructor() {
    super();
    throw new Error('no handler today');
  }

  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

/** 20 MB of JSON. */
export class HugeResult extends StepHandler {
  static handlerName = 'hostile.huge_result';

  async call(): Promise<StepHandlerResult> {
    return this.success({ blob: 'x'.repeat(20_000_000) });
  }
}

export class LogFlood extends StepHandler {
  static handlerName = 'hostile.log_flood';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const lines = context.getInputOr('lines', 100_000);
    const log = createLogger({ component: 'flood' });
    for (let line = 0; line < lines; line += 1) {
      log.info('flood '.repeat(20), { line });
    }
    return this.success({ lines });
  }
}

let calls = 0;

/** Every attempt has an instance of its own, so this is always 1. */
export class CountCalls extends StepHandler {
  static handlerName = 'hostile.count_calls';

  async call(): Promise<StepHandlerResult> {
    calls += 1;
    const shared = globalThis as { hostileCalls?: number };
    shared.hostileCalls = (shared.hostileCalls ?? 0) + 1;
    return this.success({ calls, shared: shared.hostileCalls });
  }
}

/** Looks for the host's environment. */
export class ReadEnvironment extends StepHandler {
  static handlerName = 'hostile.read_environment';

  async call(): Promise<StepHandlerResult> {
    const { process, require, Deno, Bun } = globalThis as Record<string, unknown>;
    return this.success({
      process: typeof process,
      require: typeof require,
      deno: typeof Deno,
      bun: typeof Bun,
    });
  }
}

/** Says what the host tells a guest: its settings and the facts about the call. */
export class ReadHost extends StepHandler {
  static handlerName = 'hostile.read_host';

  async call(context: StepContext): Promise<StepHandlerResult> {
    logInfo('reading the host', { attempt: context.retryCount });
    return this.success({
      settings: Object.fromEntries(entries().map(([key, value]) => [key, JSON.parse(value)])),
      remaining_ms: remainingMs(),
      cancellation_requested: cancellationRequested(),
    });
  }
}

/** Reaches for the network, which nobody granted. */
export class Fetch extends StepHandler {
  static handlerName = 'hostile.fetch';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const response = await fetch(context.getInputOr('url', 'http://127.0.0.1:1/'));
    return this.success({ status: response.status });
  }
}

/** Well behaved: what the host runs after each of the others. */
export class Echo extends StepHandler {
  static handlerName = 'hostile.echo';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ input: context.inputData, attempt: context.retryCount });
  }

  /** Reached by `method: shout`. */
  async shout(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ input: JSON.stringify(context.inputData).toUpperCase() });
  }
}
