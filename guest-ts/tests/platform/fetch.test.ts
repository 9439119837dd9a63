/** Redirects, beside Node's own `fetch`, against a server of this process. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { following } from '../../src/platform/fetch.js';
import undici from '../../src/platform/undici.js';

/** As the engine's: what is answered is handed back, a redirect too. */
const native: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'manual' });
const ours = following(native);

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}

/** `/302/x` redirects to `/x`, `/to/URL` to the URL, `/endless` to itself; everything else tells what it was sent. */
async function server(): Promise<string> {
  const listening = createServer(async (request, response) => {
    const { url = '/', method, headers } = request;
    const [, status, rest] = /^\/(30\d)(\/.*)/.exec(url) ?? [];
    const [, target] = /^\/to\/(.*)/.exec(url) ?? [];
    if (status !== undefined) {
      response.writeHead(Number(status), { location: rest }).end('moved');
    } else if (target !== undefined || url === '/endless') {
      response.writeHead(302, { location: target ?? url }).end();
    } else {
      const { authorization, cookie, 'x-own': own, 'content-type': type } = headers;
      response.end(JSON.stringify({ method, url, authorization, cookie, own, type, body: await bodyOf(request) }));
    }
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise((resolve) => listening.close(() => resolve())));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

const seen = async (request: Promise<Response>) => {
  const response = await request;
  const { status, redirected, url } = response;
  return { status, redirected, url, text: await response.text() };
};

const POST: RequestInit = {
  method: 'POST',
  body: 'a body',
  headers: { authorization: 'Bearer a', cookie: 'a=b', 'x-own': 'kept', 'content-type': 'text/x' },
};

describe('a redirect', () => {
  it.each<[path: string, init?: RequestInit]>([
    ['/plain'],
    ['/301/x'],
    ['/302/303/307/308/x?y#z'],
    ['/301/x', POST],
    ['/302/x', POST],
    ['/303/x', { ...POST, method: 'PUT' }],
    ['/302/x', { ...POST, method: 'PUT' }],
    ['/307/x', POST],
    ['/308/x', { ...POST, body: new URLSearchParams({ a: '1' }) }],
    ['/303/x', { method: 'HEAD' }],
    ['/302/x', { redirect: 'manual' }],
  ])('of %s %j is followed as by Node', async (path, init) => {
    const url = (await server()) + path;
    expect(await seen(ours(url, init))).toEqual(await seen(fetch(url, init)));
  });

  it('to another origin loses what was meant for the first', async () => {
    const [first, second] = [await server(), await server()];
    const url = `${first}/to/${second}/x`;
    const answer = await seen(ours(url, { headers: POST.headers as HeadersInit }));
    expect(answer).toEqual(await seen(fetch(url, { headers: POST.headers as HeadersInit })));
    expect(JSON.parse(answer.text)).not.toHaveProperty('authorization');
    expect(JSON.parse(answer.text)).toMatchObject({ own: 'kept' });
  });

  it('of a Request sends its body again', async () => {
    const url = `${await server()}/307/x`;
    expect(JSON.parse((await seen(ours(new Request(url, POST)))).text)).toMatchObject({
      method: 'POST',
      body: 'a body',
    });
  });

  it('is refused where it is not wanted, does not end, or leads to no URL of HTTP', async () => {
    const url = await server();
    await expect(ours(`${url}/302/x`, { redirect: 'error' })).rejects.toThrow("redirect is 'error'");
    await expect(ours(`${url}/endless`)).rejects.toThrow('more than 20 redirects');
    await expect(ours(`${url}/to/file:///etc/passwd`)).rejects.toThrow('only http and https can be followed');
    await expect(ours(`${url}/to/http://`)).rejects.toThrow('which is no URL');
  });

  it('of a body that is a stream is refused unless the body goes', async () => {
    const url = await server();
    const stream = (): RequestInit => ({
      method: 'POST',
      body: new Blob(['a']).stream(),
      ...({ duplex: 'half' } as object),
    });
    await expect(ours(`${url}/307/x`, stream())).rejects.toThrow('cannot be sent again');
    expect(JSON.parse((await seen(ours(`${url}/303/x`, stream()))).text)).toMatchObject({ method: 'GET', body: '' });
  });

  it('stops when the request is aborted', async () => {
    const controller = new AbortController();
    const aborting = following(async (...request) => {
      controller.abort();
      return native(...request);
    });
    await expect(aborting(`${await server()}/302/x`, { signal: controller.signal })).rejects.toThrow(/abort/i);
  });
});

describe('undici', () => {
  it('asks with fetch, and hands redirects back where it does', async () => {
    const origin = await server();
    const { statusCode, headers, body } = await undici.request(`${origin}/plain?a=b`, {
      ...POST,
      query: { c: 'd' },
    } as never);
    expect([statusCode, typeof headers.date]).toEqual([200, 'string']);
    expect(await body.json()).toMatchObject({ method: 'POST', url: '/plain?a=b&c=d', own: 'kept', body: 'a body' });
    expect((await undici.request(`${origin}/302/x`)).statusCode).toBe(302);
    expect(await seen(undici.fetch(`${origin}/302/x`))).toMatchObject({ status: 200, redirected: true });
  });

  it('says of what it has no place for that it has none', () => {
    expect(() => new (undici.Agent as never as new () => unknown)()).toThrow(
      'undici#Agent does not work in a component: the host keeps the connections: use fetch',
    );
  });
});
