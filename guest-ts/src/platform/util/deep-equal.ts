/** Equality of values by their structure: what `assert.deepStrictEqual` and, less strictly, `assert.deepEqual` mean. */

type Seen = Map<object, object>;

export function isDeepStrictEqual(a: unknown, b: unknown): boolean {
  return equal(a, b, true, new Map());
}

/** Primitives are compared with `==`, prototypes not at all. */
export function isDeepEqual(a: unknown, b: unknown): boolean {
  return equal(a, b, false, new Map());
}

function equal(a: unknown, b: unknown, strict: boolean, seen: Seen): boolean {
  if (Object.is(a, b)) {
    return true;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    // biome-ignore lint/suspicious/noDoubleEquals: that is what it means.
    return !strict && (a == b || (Number.isNaN(a) && Number.isNaN(b)));
  }
  if (seen.get(a) === b) {
    return true;
  }
  const tag = tagOf(a);
  if (tag !== tagOf(b) || (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))) {
    return false;
  }
  if (Array.isArray(a) !== Array.isArray(b) || !sameContent(a, b, tag)) {
    return false;
  }
  seen.set(a, b);
  const same = sameMembers(a, b, strict, seen) && sameEntries(a, b, strict, seen);
  seen.delete(a);
  return same;
}

const tagOf = (value: object): string => Object.prototype.toString.call(value);

/** What an object holds that is no property of it. */
function sameContent(a: object, b: object, tag: string): boolean {
  switch (tag) {
    case '[object Date]':
      return Object.is((a as Date).getTime(), (b as Date).getTime());
    case '[object RegExp]':
      return String(a) === String(b) && (a as RegExp).lastIndex === (b as RegExp).lastIndex;
    case '[object Error]':
      return (
        (a as Error).message === (b as Error).message &&
        (a as Error).name === (b as Error).name &&
        Object.hasOwn(a, 'cause') === Object.hasOwn(b, 'cause')
      );
    case '[object Number]':
    case '[object String]':
    case '[object Boolean]':
    case '[object BigInt]':
    case '[object Symbol]':
      return Object.is(a.valueOf(), b.valueOf());
    case '[object ArrayBuffer]':
      return sameBytes(new Uint8Array(a as ArrayBuffer), new Uint8Array(b as ArrayBuffer));
    case '[object Promise]':
    case '[object WeakMap]':
    case '[object WeakSet]':
      return false;
    default:
      return !(a instanceof DataView && b instanceof DataView) || sameBytes(bytesOf(a), bytesOf(b));
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: DataView) => new Uint8Array(buffer, byteOffset, byteLength);

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function sameMembers(a: object, b: object, strict: boolean, seen: Seen): boolean {
  const [keys, others] = [keysOf(a, strict), keysOf(b, strict)];
  // Errors hold theirs in properties that are not enumerable.
  if (a instanceof Error) {
    for (const hidden of ['cause', 'errors'] as const) {
      if (Object.hasOwn(a, hidden) && !keys.includes(hidden)) {
        keys.push(hidden);
        others.push(hidden);
      }
    }
  }
  return (
    (!Array.isArray(a) || a.length === (b as unknown[]).length) &&
    keys.length === others.length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) && equal((a as Record<PropertyKey, unknown>)[key], Reflect.get(b, key), strict, seen),
    )
  );
}

function keysOf(value: object, strict: boolean): PropertyKey[] {
  const symbols = strict ? Object.getOwnPropertySymbols(value) : [];
  const isEnumerable = (key: symbol) => Object.prototype.propertyIsEnumerable.call(value, key);
  return [...Object.keys(value), ...symbols.filter(isEnumerable)];
}

/** Members of sets and maps, in whatever order. */
function sameEntries(a: object, b: object, strict: boolean, seen: Seen): boolean {
  if (a instanceof Set && b instanceof Set) {
    const left = [...b];
    return a.size === b.size && [...a].every((value) => take(left, (other) => equal(value, other, strict, seen)));
  }
  if (a instanceof Map && b instanceof Map) {
    const left = [...b];
    return (
      a.size === b.size &&
      [...a].every(([key, value]) =>
        take(left, ([other, its]) => equal(key, other, strict, seen) && equal(value, its, strict, seen)),
      )
    );
  }
  return true;
}

function take<T>(values: T[], fits: (value: T) => boolean): boolean {
  const index = values.findIndex(fits);
  if (index >= 0) {
    values.splice(index, 1);
  }
  return index >= 0;
}
