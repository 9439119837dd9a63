/** Which built-in class a value is of, by the tag it carries. */

const tagged =
  (...tags: string[]) =>
  (value: unknown): boolean =>
    typeof value === 'object' && value !== null && tags.includes(Object.prototype.toString.call(value).slice(8, -1));

const TypedArray = Object.getPrototypeOf(Uint8Array) as { new (): Uint8Array; prototype: Uint8Array };
const tagOfTypedArray = Object.getOwnPropertyDescriptor(TypedArray.prototype, Symbol.toStringTag)?.get;
const typedArray = (name: string) => (value: unknown) => tagOfTypedArray?.call(value) === name;

export const isAnyArrayBuffer = tagged('ArrayBuffer', 'SharedArrayBuffer');
export const isArrayBuffer = tagged('ArrayBuffer');
export const isArrayBufferView = (value: unknown): boolean => ArrayBuffer.isView(value);
export const isBigIntObject = tagged('BigInt');
export const isBooleanObject = tagged('Boolean');
export const isDataView = tagged('DataView');
export const isDate = tagged('Date');
export const isMap = tagged('Map');
export const isMapIterator = tagged('Map Iterator');
export const isNativeError = (value: unknown): boolean => value instanceof Error || tagged('Error')(value);
export const isNumberObject = tagged('Number');
export const isPromise = tagged('Promise');
export const isRegExp = tagged('RegExp');
export const isSet = tagged('Set');
export const isSetIterator = tagged('Set Iterator');
export const isSharedArrayBuffer = tagged('SharedArrayBuffer');
export const isStringObject = tagged('String');
export const isSymbolObject = tagged('Symbol');
export const isTypedArray = (value: unknown): boolean => tagOfTypedArray?.call(value) !== undefined;
export const isBigInt64Array = typedArray('BigInt64Array');
export const isBigUint64Array = typedArray('BigUint64Array');
export const isFloat32Array = typedArray('Float32Array');
export const isFloat64Array = typedArray('Float64Array');
export const isInt8Array = typedArray('Int8Array');
export const isInt16Array = typedArray('Int16Array');
export const isInt32Array = typedArray('Int32Array');
export const isUint8Array = typedArray('Uint8Array');
export const isUint8ClampedArray = typedArray('Uint8ClampedArray');
export const isUint16Array = typedArray('Uint16Array');
export const isUint32Array = typedArray('Uint32Array');
export const isWeakMap = tagged('WeakMap');
export const isWeakSet = tagged('WeakSet');

export const isBoxedPrimitive = tagged('BigInt', 'Boolean', 'Number', 'String', 'Symbol');
export const isGeneratorObject = tagged('Generator', 'AsyncGenerator');
export const isAsyncFunction = (value: unknown): boolean => functionTag(value) === 'AsyncFunction';
export const isGeneratorFunction = (value: unknown): boolean => /GeneratorFunction$/.test(functionTag(value));

function functionTag(value: unknown): string {
  return typeof value === 'function' ? Object.prototype.toString.call(value).slice(8, -1) : '';
}
