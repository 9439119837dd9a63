/**
 * Three changes to the JavaScript that componentize-js generates between WebAssembly and a component's exports. They
 * are made to the text, because the generator has no options for them, and hold for the one version pinned in
 * package.json: where the text is not as expected the build fails, and whoever raised the version looks here.
 *
 * - Strings are encoded by the engine. The generated code counts their bytes in a loop, character by character, in
 *   interpreted JavaScript: some 2500 units of fuel for each, 50 billion for a result of 20 MB.
 * - Traces for debugging the generator go. They build their arguments in every call to throw them away.
 * - `taskerWarmUp` is added, by which the SDK makes calls through the bindings while the component is built: at once,
 *   and once more when the exports are bound. Between the two the engine collects garbage, which empties its caches; no
 *   promise is settled after the second, so that call may only get as far as one that never is.
 */

const ENCODE_FUNCTION = /function _utf8AllocateAndEncode\(s, realloc, memory\) \{\n[\s\S]*?\n\}\n/;

const ENCODE_NATIVELY = `function _utf8AllocateAndEncode(s, realloc, memory) {
  if (typeof s !== 'string') {
    throw new TypeError('expected a string, received [' + typeof s + ']');
  }
  if (s.length === 0) { return { ptr: 1, len: 0 }; }
  const bytes = TEXT_ENCODER_UTF8.encode(s);
  const len = bytes.length;
  const ptr = realloc(0, 0, 1, len);
  new Uint8Array(memory.buffer, ptr, len).set(bytes);
  return { ptr, len };
}
`;

const TRACE_CALL = /^ *_debugLog\('[^'\n]*', \{[^{}]*\}\);\n/gm;

/** The function that lifts a step context, and the places in it that say where the fields are. */
const HANDLE = /async function (export_handlers_[\w$]+\$handle)\(arg0, arg1\) \{\n([\s\S]*?)\n\}\n/;
const STEP_CONTEXT = [
  'getUint32(arg0 + 0, true)',
  'getUint32(arg0 + 8, true)',
  'getUint32(arg0 + 16, true)',
  'getUint32(arg0 + 24, true)',
  'getUint8(arg0 + 32, true)',
  'getUint8(arg0 + 44, true)',
  'attempts: dataView($memory).getInt32(arg0 + 56, true)',
  'getUint32(arg0 + 68, true)',
];
const IMPLEMENTATION = /await (handlers\d+Handle)\(/;
/** Called when the component's modules are loaded; the exports of every interface are bound when it ends. */
const BIND_EXPORTS = /function bindExports\(sourceName\) \{\n[^{}]*'handle', 'handlers'\);\n[^{}]*?(?= *\}\n)/;

export function adaptBindings(generated: string): string {
  const handle = HANDLE.exec(generated);
  const implementation = IMPLEMENTATION.exec(handle?.[2] ?? '');
  const missing = STEP_CONTEXT.find((place) => !handle?.[2]?.includes(place));
  if (handle === null || implementation === null || missing !== undefined || !isShapedAsExpected(generated)) {
    throw new Error(
      `componentize-js generates other bindings than componentize/src/bindings.ts expects${missing ? `: no ${missing}` : ''}`,
    );
  }
  const adapted = generated
    .replace(ENCODE_FUNCTION, () => ENCODE_NATIVELY)
    .replace(TRACE_CALL, '')
    .replace(BIND_EXPORTS, (bindExports) => `${bindExports}    warmUpLast();\n`);
  return `${adapted}\n${warmUp(handle[1] as string, implementation[1] as string)}`;
}

function isShapedAsExpected(generated: string): boolean {
  return ENCODE_FUNCTION.test(generated) && BIND_EXPORTS.test(generated);
}

/**
 * The step context in linear memory: 76 bytes, a string as pointer and length. The bindings free the strings they
 * lift; the block itself is the engine's in a real call, so it is freed here.
 */
function warmUp(exported: string, implementation: string): string {
  return `
let lastWarmUp = null;

async function callWith(handle, callable, event) {
  const context = $realloc(0, 0, 4, 76);
  const outcome = $realloc(0, 0, 8, 128);
  new Uint8Array($memory.buffer, context, 76).fill(0);
  const put = (offset, text) => {
    const { ptr, len } = _utf8AllocateAndEncode(text, $realloc, $memory);
    dataView($memory).setUint32(context + offset, ptr, true);
    dataView($memory).setUint32(context + offset + 4, len, true);
  };
  const uuid = '00000000-0000-0000-0000-000000000000';
  put(0, uuid); put(8, uuid); put(16, uuid); put(24, callable); put(68, event);
  const bound = ${implementation};
  ${implementation} = handle;
  const called = ${exported}(context, outcome);
  ${implementation} = bound;
  $dealloc(context, 76, 4);
  await called;
  $dealloc(outcome, 128, 8);
}

function warmUpLast() {
  const last = lastWarmUp;
  lastWarmUp = null;
  if (last !== null) { callWith(...last); }
}

contentGlobal.taskerWarmUp = {
  now: callWith,
  last(...call) { lastWarmUp = call; },
};
`;
}
