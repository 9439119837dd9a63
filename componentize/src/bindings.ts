/**
 * Changes to the JavaScript that componentize-js generates between WebAssembly and a component's exports. They are
 * made to the text, because the generator has no options for them, and hold for the one version pinned in package.json:
 * where the text is not as expected the build fails, and whoever raised the version looks here.
 *
 * - Strings are encoded by the engine. The generated code counts their bytes in a loop, character by character, in
 *   interpreted JavaScript: some 2500 units of fuel for each, 50 billion for a result of 20 MB.
 * - A call of a handler looks at the memory through one view. The generated code asks for each of its thirty numbers
 *   whether the memory has grown, 3000 units of fuel each time; it grows when a string is encoded or the engine
 *   allocates, and what the view is used for was there before.
 * - Fields of the step context that stand in its event too are not lifted: 12,000 units each. Their strings are not freed
 *   either, because an instance answers one call.
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
  dataView(memory);
  new Uint8Array(buffer, ptr, len).set(bytes);
  return { ptr, len };
}
`;

const DATA_VIEW = 'const dataView = mem => dv.buffer === mem.buffer ? dv : dv = new DataView(mem.buffer);\n';

const DATA_VIEW_AND_BUFFER = `let buffer = dv.buffer;
const dataView = (memory) => {
  const now = memory.buffer;
  if (now !== buffer) {
    buffer = now;
    dv = new DataView(now);
  }
  return dv;
};
`;

const TRACE_CALL = /^ *_debugLog\('[^'\n]*'(, \{[^{}]*\})?\);\n/gm;

/** The function that lifts a step context, calls the handler and lowers its outcome. */
const HANDLE = /async function (export_handlers_[\w$]+\$handle)\(arg0, arg1\) \{\n([\s\S]*?)\n\}\n/;
const IMPLEMENTATION = /await (handlers\d+Handle)\(/;
/** What {@link warmUp} writes, and where in the step context. */
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
/** Fields that stand in the event too, with their places. */
const NOT_LIFTED: ReadonlyArray<[field: string, place: number]> = [
  ['taskUuid', 0],
  ['stepUuid', 8],
  ['correlationId', 16],
];
/** After the call, before its outcome is lowered. */
const LOWER = /^( *var variant\d+ = ret;\n)/m;
/** Called when the component's modules are loaded; the exports of every interface are bound when it ends. */
const BIND_EXPORTS = /function bindExports\(sourceName\) \{\n[^{}]*'handle', 'handlers'\);\n[^{}]*?(?= *\}\n)/;

export function adaptBindings(generated: string): string {
  const [, exported = '', body = ''] = HANDLE.exec(generated) ?? refuse('no function `handle`');
  const [, implementation = ''] = IMPLEMENTATION.exec(body) ?? refuse('no call of the implementation');
  const missing = STEP_CONTEXT.find((place) => !body.includes(place));
  if (missing !== undefined) {
    refuse(`no ${missing}`);
  }
  let adapted = generated.replace(body, () => adaptHandle(body));
  adapted = replace(adapted, ENCODE_FUNCTION, () => ENCODE_NATIVELY);
  adapted = replace(adapted, DATA_VIEW, () => DATA_VIEW_AND_BUFFER);
  adapted = replace(adapted, BIND_EXPORTS, (bindExports) => `${bindExports}    warmUpLast();\n`);
  return `${adapted.replace(TRACE_CALL, '')}\n${warmUp(exported, implementation)}`;
}

/** The places in the context and the outcome lie in memory that was there when the call began, or when it ended. */
function adaptHandle(body: string): string {
  let adapted = body;
  for (const [field, place] of NOT_LIFTED) {
    const lifted = new RegExp(
      `^ *var ptr(\\d+) = dataView\\(\\$memory\\)\\.getUint32\\(arg0 \\+ ${place}, true\\);\n.*var len\\1 = .*\n` +
        `.*var result\\1 = .*\n.*\\$dealloc\\(ptr\\1, len\\1, 1\\);\n`,
      'm',
    );
    adapted = replace(adapted, lifted, () => '');
    adapted = replace(adapted, new RegExp(`^ *${field}: result\\d+,\n`, 'm'), () => '');
  }
  adapted = replace(adapted, LOWER, (lower) => `  dataView($memory);\n${lower}`)
    .replace(/dataView\(\$memory\)(?=\.[gs]et\w+\(arg[01] \+)/g, 'dv')
    .replaceAll('new Uint8Array($memory.buffer, ', 'new Uint8Array(buffer, ');
  return `  dataView($memory);\n${adapted}`;
}

function replace(text: string, what: string | RegExp, by: (found: string) => string): string {
  const found = typeof what === 'string' ? text.includes(what) : what.test(text);
  return found ? text.replace(what, by) : refuse(`no ${what}`);
}

function refuse(missing: string): never {
  throw new Error(
    `componentize-js generates other bindings than componentize/src/bindings.ts expects: ${missing.slice(0, 200)}`,
  );
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
