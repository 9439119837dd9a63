/** `node:url`. */

import { legacy } from '../url/legacy.js';

export const { URL, URLSearchParams } = globalThis;
/** The old functions, which know only strings. */
export const parse: typeof legacy.parse = (...args) => legacy.parse(...args);
export const resolve: typeof legacy.resolve = (...args) => legacy.resolve(...args);
export const resolveObject: typeof legacy.resolveObject = (...args) => legacy.resolveObject(...args);

export interface FormatOptions {
  auth?: boolean;
  fragment?: boolean;
  search?: boolean;
}

export function format(
  url: URL | string | object,
  { auth = true, fragment = true, search = true }: FormatOptions = {},
) {
  if (!(url instanceof URL)) {
    return legacy.format(url);
  }
  const copy = new URL(url);
  if (!auth) {
    copy.username = '';
    copy.password = '';
  }
  if (!fragment) {
    copy.hash = '';
  }
  if (!search) {
    copy.search = '';
  }
  return copy.href;
}

export function fileURLToPath(url: URL | string): string {
  const { protocol, hostname, pathname } = new URL(url);
  const refuse = (code: string, message: string) => Object.assign(new TypeError(message), { code });
  if (protocol !== 'file:') {
    throw refuse('ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  }
  if (hostname !== '') {
    throw refuse('ERR_INVALID_FILE_URL_HOST', 'File URL host must be "localhost" or empty on wasi');
  }
  if (/%2f/i.test(pathname)) {
    throw refuse('ERR_INVALID_FILE_URL_PATH', 'File URL path must not include encoded / characters');
  }
  return decodeURIComponent(pathname);
}

export function pathToFileURL(path: string): URL {
  const absolute = path.startsWith('/') ? path : `/${path}`;
  const escaped = absolute.replace(/[%\\\n\r\t?#]/g, (character) => encodeURIComponent(character));
  return new URL(`file://${escaped}`);
}

export const domainToASCII = (domain: string): string => hostnameOf(domain);
/** Without Unicode tables the name stays as it is written. */
export const domainToUnicode = (domain: string): string => hostnameOf(domain) && domain;

function hostnameOf(domain: string): string {
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return '';
  }
}

export function urlToHttpOptions(url: URL): Record<string, unknown> {
  const { protocol, hostname, hash, search, pathname, href, username, password, port } = url;
  return {
    protocol,
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    hash,
    search,
    pathname,
    path: `${pathname}${search}`,
    href,
    ...(port !== '' && { port: Number(port) }),
    ...((username || password) && { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
  };
}

export default {
  URL,
  URLSearchParams,
  domainToASCII,
  domainToUnicode,
  fileURLToPath,
  format,
  parse,
  pathToFileURL,
  resolve,
  resolveObject,
  urlToHttpOptions,
};
