/**
 * Redirects, which the engine's `fetch` hands back as they are, followed as the Fetch standard says. The host checks
 * each request on its own: a redirect leads nowhere that is not granted.
 */

const MAX_REDIRECTS = 20;
const STATUSES = [301, 302, 303, 307, 308];
/** They describe a body, and go when a POST becomes a GET. */
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-length', 'content-location', 'content-type'];
/** They are meant for the origin they were sent to. */
const CREDENTIALS = ['authorization', 'cookie', 'host', 'proxy-authorization'];

/** Not called by its name: the builder would bring what responses need for theirs. */
const { clone: cloneRequest } = Request.prototype;

type Fetch = typeof globalThis.fetch;
type Body = BodyInit | null | undefined;

/** A request as the next hop may have to repeat it. */
interface Sent {
  url: string;
  method: string;
  headers: Headers;
  body: () => Body | Promise<Body>;
  /** What is the same in every hop. */
  init: RequestInit;
}

/** The same `fetch`, which follows redirects unless it is told otherwise. */
export function following(fetch: Fetch): Fetch {
  return async (input, init) => {
    const mode = init?.redirect ?? (input instanceof Request ? input.redirect : undefined) ?? 'follow';
    if (mode === 'manual') {
      return fetch(input, init);
    }
    let sent = describe(input, init);
    let response = await fetch(input, init);
    for (let hops = 0; ; hops += 1) {
      const target = targetOf(response, sent.url);
      if (target === null) {
        return hops === 0 ? response : marked(response, sent.url);
      }
      if (mode === 'error') {
        throw new TypeError(`${sent.url} answered with a redirect to ${target.href}, and redirect is 'error'`);
      }
      if (hops === MAX_REDIRECTS) {
        throw new TypeError(`more than ${MAX_REDIRECTS} redirects, the last of them to ${target.href}`);
      }
      await response.body?.cancel();
      sent = await redirected(sent, response.status, target);
      const { url, method, headers } = sent;
      const body = await sent.body();
      response = await fetch(url, { ...sent.init, method, headers, ...(body != null && { body }) });
    }
  };
}

function describe(input: RequestInfo | URL, init: RequestInit = {}): Sent {
  const { method, headers, body, ...rest } = init;
  if (!(input instanceof Request)) {
    return {
      url: String(input),
      method: (method ?? 'GET').toUpperCase(),
      headers: new Headers(headers),
      body: () => body,
      init: rest,
    };
  }
  // Sending a request consumes its body.
  const copy = body == null && input.body != null ? cloneRequest.call(input) : null;
  return {
    url: input.url,
    method: (method ?? input.method).toUpperCase(),
    headers: new Headers(headers ?? input.headers),
    body: () => (copy === null ? body : copy.arrayBuffer()),
    init: { signal: input.signal, ...rest },
  };
}

/** Null when the response is the last one. */
function targetOf(response: Response, url: string): URL | null {
  const location = STATUSES.includes(response.status) ? response.headers.get('location') : null;
  if (location === null) {
    return null;
  }
  let target: URL;
  try {
    target = new URL(location, url);
  } catch {
    throw new TypeError(`${url} redirects to ${JSON.stringify(location)}, which is no URL`);
  }
  if (!/^https?:$/.test(target.protocol)) {
    throw new TypeError(`${url} redirects to ${target.href}: only http and https can be followed`);
  }
  target.hash ||= new URL(url).hash;
  return target;
}

async function redirected(sent: Sent, status: number, target: URL): Promise<Sent> {
  const headers = new Headers(sent.headers);
  const without = (names: string[]) => {
    for (const name of names) {
      headers.delete(name);
    }
  };
  if (new URL(sent.url).origin !== target.origin) {
    without(CREDENTIALS);
  }
  const becomesGet = status === 303 ? !['GET', 'HEAD'].includes(sent.method) : status < 303 && sent.method === 'POST';
  if (becomesGet) {
    without(BODY_HEADERS);
    return { ...sent, url: target.href, method: 'GET', headers, body: () => null };
  }
  const body = await sent.body();
  if (body instanceof ReadableStream) {
    throw new TypeError(`${sent.url} answered ${status}: the request's body is a stream and cannot be sent again`);
  }
  return { ...sent, url: target.href, headers, body: () => body };
}

function marked(response: Response, url: string): Response {
  const { href } = Object.assign(new URL(url), { hash: '' });
  return Object.defineProperties(response, { redirected: { value: true }, url: { value: href } });
}
