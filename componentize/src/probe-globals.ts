/**
 * The globals of a component, as far as Node has them: what the engine lacks is taken away, what cannot be frozen
 * into a snapshot (randomness, time, timers, the network) leaves a trace when it is used.
 */

import vm from 'node:vm';

export interface Touch {
  what: string;
  stack: string;
}

type TouchFn = (what: string) => void;

/** Pure, or at least the same in every instance. */
const PLATFORM = [
  'AbortController',
  'AbortSignal',
  'Blob',
  'ByteLengthQueuingStrategy',
  'CompressionStream',
  'CountQueuingStrategy',
  'DOMException',
  'DecompressionStream',
  'Event',
  'EventTarget',
  'File',
  'FormData',
  'Headers',
  'ReadableStream',
  'Request',
  'Response',
  'TextDecoder',
  'TextEncoder',
  'TransformStream',
  'URL',
  'URLSearchParams',
  'WritableStream',
  'atob',
  'btoa',
  'queueMicrotask',
  'structuredClone',
];

/** ECMAScript that the engine is built without. */
const ABSENT = ['Atomics', 'Intl', 'SharedArrayBuffer', 'WebAssembly'];

const CONSOLE_METHODS = [
  'assert',
  'clear',
  'count',
  'countReset',
  'debug',
  'dir',
  'dirxml',
  'error',
  'group',
  'groupCollapsed',
  'groupEnd',
  'info',
  'log',
  'table',
  'time',
  'timeEnd',
  'timeLog',
  'trace',
  'warn',
];

/** Longest a top-level timer is waited for: its effect is looked for, not its delay. */
const MAX_TIMER_MS = 10;

export function componentGlobals(context: vm.Context, touch: TouchFn): void {
  const outer = globalThis as Record<string, unknown>;
  const define = (name: string, value: unknown) =>
    Object.defineProperty(context, name, { value, writable: true, configurable: true, enumerable: false });

  for (const name of PLATFORM) {
    define(name, outer[name]);
  }
  define('self', vm.runInContext('globalThis', context));
  define('console', Object.fromEntries(CONSOLE_METHODS.map((name) => [name, () => {}])));
  define('crypto', traced(crypto, 'crypto', touch, ['subtle']));
  define('performance', tracedPerformance(touch));
  define('fetch', (..._request: unknown[]) => {
    touch('fetch()');
    return Promise.reject(new TypeError('there is no network while a component is built'));
  });
  defineTimers(define, touch);
  const instrument = vm.runInContext(`(${INSTRUMENT_LANGUAGE})`, context) as (touch: TouchFn, absent: string[]) => void;
  instrument(touch, ABSENT);
}

/** Runs inside the context: these belong to its own realm. */
const INSTRUMENT_LANGUAGE = `function (touch, absent) {
  for (const name of absent) delete globalThis[name];
  delete String.prototype.normalize;
  const { random } = Math;
  Math.random = () => { touch('Math.random()'); return random(); };
  const RealDate = Date;
  const { now } = RealDate;
  const tracedNow = () => { touch('Date.now()'); return now(); };
  const TracedDate = new Proxy(RealDate, {
    construct(target, args, newTarget) {
      if (args.length === 0) touch('new Date()');
      return Reflect.construct(target, args, newTarget);
    },
    apply(target) { touch('Date()'); return target(); },
    get(target, key, receiver) { return key === 'now' ? tracedNow : Reflect.get(target, key, receiver); },
  });
  RealDate.prototype.constructor = TracedDate;
  Object.defineProperty(globalThis, 'Date', { value: TracedDate, writable: true, configurable: true });
}`;

function defineTimers(define: (name: string, value: unknown) => void, touch: TouchFn): void {
  let next = 1;
  const pending = new Map<number, NodeJS.Timeout>();
  define('setTimeout', (callback: (...args: unknown[]) => void, delay = 0, ...args: unknown[]) => {
    touch('setTimeout()');
    const id = next++;
    pending.set(
      id,
      setTimeout(() => callback(...args), Math.min(delay, MAX_TIMER_MS)),
    );
    return id;
  });
  define('setInterval', () => {
    touch('setInterval()');
    return next++;
  });
  const clear = (id: number) => {
    clearTimeout(pending.get(id));
    pending.delete(id);
  };
  define('clearTimeout', clear);
  define('clearInterval', clear);
}

/** The object with its methods bound and traced; what `nested` names is treated the same way. */
function traced(source: object, label: string, touch: TouchFn, nested: string[] = []): object {
  const target: Record<string, unknown> = {};
  for (const name of propertyNames(source)) {
    const value = (source as Record<string, unknown>)[name];
    if (nested.includes(name) && typeof value === 'object' && value !== null) {
      target[name] = traced(value, `${label}.${name}`, touch);
    } else if (typeof value === 'function') {
      target[name] = (...args: unknown[]) => {
        touch(`${label}.${name}()`);
        return value.apply(source, args);
      };
    }
  }
  return target;
}

function tracedPerformance(touch: TouchFn): object {
  return Object.defineProperty(traced(performance, 'performance', touch), 'timeOrigin', {
    get() {
      touch('performance.timeOrigin');
      return performance.timeOrigin;
    },
  });
}

function propertyNames(source: object): string[] {
  const names = new Set<string>();
  for (let level = source; level !== null && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name !== 'constructor') {
        names.add(name);
      }
    }
  }
  return [...names];
}
