/** `node:querystring`. */

type Values = Record<string, unknown>;

export interface ParseOptions {
  /** Names and values beyond so many are left out; 0 is no limit, and 1000 is assumed. */
  maxKeys?: number;
  decodeURIComponent?: (text: string) => string;
}

/** What `encodeURIComponent` leaves alone, and half a surrogate pair, which is none. */
function percentEscape(text: unknown): string {
  const value = typeof text === 'string' ? text : String(text);
  try {
    return encodeURIComponent(value);
  } catch {
    throw Object.assign(new URIError('URI malformed'), { code: 'ERR_INVALID_URI' });
  }
}

/** Escapes that are none stay as they are. */
function percentUnescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    const bytes = text.replace(/%[\da-f]{2}/gi, (hex) => String.fromCharCode(Number.parseInt(hex.slice(1), 16)));
    return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
  }
}

function primitive(value: unknown): string {
  const isSaid =
    typeof value === 'string' ||
    typeof value === 'bigint' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value));
  return isSaid ? String(value) : '';
}

export function stringify(
  values: Values | null | undefined,
  separator?: string | null,
  equals?: string | null,
  options: { encodeURIComponent?: (text: string) => string } = {},
): string {
  if (typeof values !== 'object' || values === null) {
    return '';
  }
  const encode = options.encodeURIComponent ?? querystring.escape;
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => `${encode(name)}${equals || '='}${encode(primitive(each))}`),
  );
  return pairs.join(separator || '&');
}

export function parse(
  text: string,
  separator?: string | null,
  equals?: string | null,
  { maxKeys = 1000, decodeURIComponent: decode = querystring.unescape }: ParseOptions = {},
): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = Object.create(null);
  if (typeof text !== 'string' || text === '') {
    return found;
  }
  const pairs = text.split(separator || '&').filter((pair) => pair !== '');
  const decoded = (part: string) => {
    const spaced = part.replaceAll('+', ' ');
    try {
      return decode(spaced);
    } catch {
      return percentUnescape(spaced);
    }
  };
  for (const pair of maxKeys > 0 ? pairs.slice(0, maxKeys) : pairs) {
    const sign = equals || '=';
    const at = pair.indexOf(sign);
    const name = decoded(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : decoded(pair.slice(at + sign.length));
    const before = found[name];
    found[name] = before === undefined ? value : [before, value].flat();
  }
  return found;
}

export { parse as decode, percentEscape as escape, percentUnescape as unescape, stringify as encode };

/** Callers may put functions of their own into it. */
const querystring = {
  parse,
  stringify,
  decode: parse,
  encode: stringify,
  escape: percentEscape,
  unescape: percentUnescape,
};

export default querystring;
