/** `undici`, Node's own client, as far as it is `fetch`: its sockets, pools and agents have no place in a component. */

import { unsupported } from './unsupported.js';

export const { FormData, Headers, Request, Response } = globalThis;
/** The global one, which follows redirects. */
export const fetch: typeof globalThis.fetch = (...request) => globalThis.fetch(...request);

export interface RequestOptions {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  query?: Record<string, string>;
  signal?: AbortSignal;
}

/** A request whose redirects are not followed, and whose answer is read as undici's are. */
export async function request(url: string | URL, { query, ...init }: RequestOptions = {}) {
  const target = new URL(url);
  for (const [name, value] of Object.entries(query ?? {})) {
    target.searchParams.append(name, value);
  }
  const response = await fetch(target, { ...init, redirect: 'manual' });
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: response,
    trailers: {},
    opaque: null,
  };
}

const AGENTS = 'the host keeps the connections: use fetch';

export const Agent = /* @__PURE__ */ unsupported('undici#Agent', AGENTS);
export const Client = /* @__PURE__ */ unsupported('undici#Client', AGENTS);
export const Pool = /* @__PURE__ */ unsupported('undici#Pool', AGENTS);
export const ProxyAgent = /* @__PURE__ */ unsupported('undici#ProxyAgent', AGENTS);
export const setGlobalDispatcher = /* @__PURE__ */ unsupported('undici#setGlobalDispatcher', AGENTS);

export default {
  Agent,
  Client,
  FormData,
  Headers,
  Pool,
  ProxyAgent,
  Request,
  Response,
  fetch,
  request,
  setGlobalDispatcher,
};
