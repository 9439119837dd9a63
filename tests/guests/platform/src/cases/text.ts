/** What text and paths come to. Node and a component say the same: each function is given the module of either. */

import type assertModule from 'node:assert';
import type { Buffer as NodeBuffer } from 'node:buffer';
import type eventsModule from 'node:events';
import type pathModule from 'node:path';
import type querystringModule from 'node:querystring';
import type { StringDecoder as Decoder } from 'node:string_decoder';
import type urlModule from 'node:url';
import type utilModule from 'node:util';

/** What a call answers, or how it fails. */
export function tried(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    return code === undefined ? `${name}: ${message}` : `${name} ${code}`;
  }
}

export const path = (path: typeof pathModule) => ({
  join: path.join('/a', '../b', './c//d', '..'),
  resolve: path.resolve('/a/b', '../c', 'd'),
  normalize: path.normalize('/a//b/../c/.'),
  relative: path.relative('/data/a/b', '/data/c'),
  dirname: path.dirname('/a/b/c.txt'),
  basename: [path.basename('/a/b.tar.gz', '.gz'), path.basename('/a/b/')],
  extname: [path.extname('a.b.c'), path.extname('.profile')],
  parse: path.parse('/home/x/file.txt'),
  format: path.format({ dir: '/a', name: 'b', ext: '.c' }),
  absolute: [path.isAbsolute('/a'), path.isAbsolute('a')],
  separators: [path.sep, path.delimiter],
  posix: path.posix.join('a', 'b'),
});

export const buffer = (Buffer: typeof NodeBuffer) => {
  const text = Buffer.from('grüße 😀', 'utf8');
  return {
    encodings: ['utf8', 'hex', 'base64', 'base64url', 'latin1', 'utf16le'].map((encoding) =>
      text.toString(encoding as 'utf8'),
    ),
    back: ['7468', 'dGg='].map((text, index) => Buffer.from(text, index === 0 ? 'hex' : 'base64').toString()),
    base64url: Buffer.from('-_-_', 'base64url').toString('hex'),
    lengths: [Buffer.byteLength('ä€'), Buffer.byteLength('aGk', 'base64url'), Buffer.alloc(3, 'ab').toString()],
    json: Buffer.from([1, 2]).toJSON(),
    joined: Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString(),
    compared: [Buffer.compare(Buffer.from('a'), Buffer.from('b')), text.equals(Buffer.from(text))],
    numbers: [text.readUInt16BE(0), text.readInt32LE(1), Buffer.from([255, 255]).readInt16BE(0)],
    written: Buffer.alloc(4).fill('xy').toString(),
    found: [text.indexOf('ß'), text.includes('nothing'), text.subarray(0, 2).toString()],
    kinds: [Buffer.isBuffer(text), text instanceof Uint8Array, Buffer.isEncoding('base64url'), Buffer.isEncoding('x')],
    byteOrderMark: Buffer.from('\ufeffa').toString().length,
    broken: Buffer.from([0x61, 0xff, 0x62]).toString(),
  };
};

export const url = (url: typeof urlModule) => ({
  toPath: url.fileURLToPath('file:///a%20b/c.txt'),
  toUrl: url.pathToFileURL('/a b/100%#?.txt').href,
  refused: [
    tried(() => url.fileURLToPath('https://a.example/')),
    tried(() => url.fileURLToPath('file:///a%2Fb')),
    tried(() => url.fileURLToPath('file://host/a')),
  ],
  formatted: [
    url.format(new URL('https://u:p@a.example/x?y#z'), { auth: false, fragment: false, search: false }),
    url.format({ protocol: 'https', hostname: 'a.example', pathname: '/x', query: { a: '1' } }),
  ],
  parsed: (({ protocol, host, pathname, query, hash }) => ({ protocol, host, pathname, query, hash }))(
    url.parse('https://a.example:8080/x/y?z=1#h'),
  ),
  resolved: url.resolve('https://a.example/x/y', '../z'),
  options: { ...url.urlToHttpOptions(new URL('https://u:p@a.example:1/x?y')) },
  domain: [url.domainToASCII('xn--ber-goa.example'), url.domainToASCII('not a domain')],
});

export const querystring = (querystring: typeof querystringModule) => ({
  parsed: querystring.parse('a=1&b=2&a=3&c&d=%C3%A4+%zz&=e&&f==g'),
  separated: querystring.parse('a:1;b:2', ';', ':'),
  few: querystring.parse('a=1&b=2&c=3', undefined, undefined, { maxKeys: 2 }),
  written: querystring.stringify({ a: ['1', 2, true], b: 'ä &', c: null, d: undefined, e: Number.NaN, f: {} as never }),
  escaped: [querystring.escape('a b&ü'), querystring.unescape('a%20b%'), querystring.unescape('%C3%A4%E4')],
});

export const decoder = ({ StringDecoder }: { StringDecoder: typeof Decoder }) => {
  const utf8 = new StringDecoder('utf8');
  const base64 = new StringDecoder('base64');
  return {
    utf8: [utf8.write(Buffer.from([0xe2, 0x82])), utf8.write(Buffer.from([0xac, 0x61])), utf8.end(Buffer.from([0xc3]))],
    base64: [base64.write(Buffer.from('ab')), base64.end(Buffer.from('c'))],
  };
};

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

export const util = (util: typeof utilModule) => ({
  format: [
    util.format('%s is %d, %i, %f and %j: %o %%', 'it', '42', 42.9, '1.5', { a: 1 }, [1]),
    util.format('no %x', 'more', { a: { b: { c: { d: 1 } } } }),
    util.format(1, 'two', Symbol('three')),
  ],
  inspect: [
    { a: 1, b: 'text', c: [1, [2, [3, [4]]]], d: null, e: undefined, f: () => 1, g: 1n },
    new Map([[{ k: 1 }, new Set([1, 'a'])]]),
    new Point(1, 2),
    [new Date(0), /a/g, Buffer.from('ab').toString('hex')],
    'it\'s "so"',
    Array.from({ length: 120 }, (_, index) => index),
  ].map((value) => util.inspect(value)),
  equal: [
    util.isDeepStrictEqual({ a: [1, { b: new Date(1) }] }, { a: [1, { b: new Date(1) }] }),
    util.isDeepStrictEqual(new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]])),
    util.isDeepStrictEqual(new Set([[1], [2]]), new Set([[2], [1]])),
    util.isDeepStrictEqual([1, 2], [1, 2, undefined]),
    util.isDeepStrictEqual({ a: 1 }, Object.assign(Object.create({}), { a: 1 })),
    util.isDeepStrictEqual(new Error('a'), new Error('b')),
    util.isDeepStrictEqual(Number.NaN, Number.NaN),
    util.isDeepStrictEqual(0, -0),
    util.isDeepStrictEqual(new Uint8Array([1, 2]), new Uint8Array([1, 3])),
    util.isDeepStrictEqual(Object(1), Object(2)),
    util.isDeepStrictEqual(/a/g, /a/i),
    util.isDeepStrictEqual([1], { 0: 1, length: 1 }),
  ],
  types: [
    util.types.isDate(new Date()),
    util.types.isRegExp('a'),
    util.types.isPromise(Promise.resolve()),
    util.types.isTypedArray(new DataView(new ArrayBuffer(1))),
    util.types.isUint8Array(Buffer.from('')),
    util.types.isNativeError(new TypeError('')),
    util.types.isAsyncFunction(async () => {}),
    util.types.isGeneratorFunction(function* () {}),
    util.types.isMap(new WeakMap()),
    util.types.isBoxedPrimitive(Object('')),
  ],
  plain: util.stripVTControlCharacters('\u001b[31mred\u001b[0m'),
});

export const events = (EventEmitter: typeof eventsModule) => {
  const emitter = new EventEmitter();
  const seen: unknown[] = [];
  emitter.on('a', (...args) => seen.push(['on', ...args]));
  emitter.prependListener('a', () => seen.push(['first']));
  emitter.once('a', () => seen.push(['once']));
  const emitted = [emitter.emit('a', 1, 2), emitter.emit('a', 3), emitter.emit('b')];
  return {
    seen,
    emitted,
    names: emitter.eventNames(),
    count: emitter.listenerCount('a'),
    unheard: tried(() => emitter.emit('error', new RangeError('nobody listens'))),
    most: emitter.getMaxListeners(),
  };
};

/** Whether each assertion holds; of one that does not, what kind of error says so. */
export const assert = (assert: typeof assertModule) => {
  const holds = (check: () => void) => {
    try {
      check();
      return true;
    } catch (error) {
      const { name, code, operator, generatedMessage } = error as InstanceType<typeof assert.AssertionError>;
      return { name, code, operator, generatedMessage };
    }
  };
  const throwing = () => {
    throw new TypeError('a bad type');
  };
  return [
    () => assert(1),
    () => assert(0),
    () => assert.ok('', 'said so'),
    () => assert.equal(1, '1'),
    () => assert.strictEqual(1, '1'),
    () => assert.strict.equal(1, '1'),
    () => assert.notEqual(1, 1),
    () => assert.deepEqual({ a: 1 }, { a: '1' }),
    () => assert.deepStrictEqual({ a: 1 }, { a: '1' }),
    () => assert.deepStrictEqual([1, { b: 2 }], [1, { b: 2 }]),
    () => assert.notDeepStrictEqual({ a: 1 }, { a: 2 }),
    () => assert.throws(throwing),
    () => assert.throws(throwing, TypeError),
    () => assert.throws(throwing, /bad type/),
    () => assert.throws(throwing, { name: 'TypeError', message: /type$/ }),
    () => assert.throws(throwing, { message: 'another' }),
    () => assert.throws(throwing, (error: Error) => error.message.length > 3),
    () => assert.throws(throwing, RangeError),
    () => assert.throws(() => {}),
    () => assert.doesNotThrow(throwing),
    () => assert.match('abc', /b/),
    () => assert.doesNotMatch('abc', /b/),
    () => assert.ifError(null),
    () => assert.ifError(new Error('x')),
    () => assert.fail('no'),
  ].map(holds);
};
