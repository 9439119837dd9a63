import { describe, expect, it, vi } from 'vitest';
import { type APICapable, APIMixin, applyAPI, StepHandler, type StepHandlerResult } from '../../src/index.js';
import { Shop, service } from './service.js';

class Plain extends StepHandler {
  static override handlerName = 'Shop.Charge';
  static baseUrl = 'https://api.example/v1';
  static defaultHeaders = { 'X-Api-Key': 'key' };

  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

class Mixed extends APIMixin {
  static override baseUrl = 'https://api.example/v1';
  static override defaultHeaders: Record<string, string> = { 'X-Api-Key': 'key' };
}

const key = { 'X-Api-Key': 'key' };
const json = { ...key, 'Content-Type': 'application/json' };

describe.each<[string, () => APICapable]>([
  ['an ApiHandler', () => new Shop().open()],
  ['a handler applyAPI was called with', () => applyAPI(new Plain())],
  ['a class that extends APIMixin', () => new Mixed()],
])('%s', (_what, make) => {
  it('knows its service from the statics of its class, and waits 30 seconds for it', () => {
    const { baseUrl, timeout, defaultHeaders } = make();
    expect({ baseUrl, timeout, defaultHeaders }).toEqual({
      baseUrl: 'https://api.example/v1',
      timeout: 30_000,
      defaultHeaders: key,
    });
  });

  it.each<[string, Parameters<APICapable['get']>, string, Record<string, string>]>([
    ['a path', ['/orders'], '/orders', key],
    ['values', ['/orders', { page: 1, q: 'a b', none: null, no: undefined }], '/orders?page=1&q=a+b', key],
    ['values after others', ['/orders?sort=id', { page: 1 }], '/orders?sort=id&page=1', key],
    ['values and headers', ['/orders', { page: 1 }, { 'X-Trace': 't' }], '/orders?page=1', { ...key, 'X-Trace': 't' }],
    [
      'options',
      ['/orders', { params: { page: 1 }, headers: { 'X-Trace': 't' } }],
      '/orders?page=1',
      { ...key, 'X-Trace': 't' },
    ],
    ['options with headers only', ['/orders', { headers: { 'X-Api-Key': 'k' } }], '/orders', { 'X-Api-Key': 'k' }],
    ['options with values only', ['/orders', { params: { page: 1 } }], '/orders?page=1', key],
    ['values of these names', ['/orders', { params: 'p', headers: 'h' }], '/orders?params=p&headers=h', key],
    [
      'an option among values',
      ['/orders', { params: { a: 1 }, page: 1 }],
      `/orders?params=${encodeURIComponent('[object Object]').replaceAll('%20', '+')}&page=1`,
      key,
    ],
    ['no values', ['/orders', {}], '/orders', key],
  ])('gets with %s', async (_how, args, path, headers) => {
    const sent = service();
    await make().get(...args);
    expect(sent).toEqual([{ url: `https://api.example/v1${path}`, method: 'GET', headers, body: undefined }]);
  });

  it.each<[string, Parameters<APICapable['delete']>, string, Record<string, string>]>([
    ['a path', ['/orders/7'], '/orders/7', key],
    ['headers', ['/orders/7', { 'X-Trace': 't' }], '/orders/7', { ...key, 'X-Trace': 't' }],
    [
      'options',
      ['/orders/7', { params: { hard: true }, headers: { 'X-Trace': 't' } }],
      '/orders/7?hard=true',
      { ...key, 'X-Trace': 't' },
    ],
    ['headers of these names', ['/orders/7', { params: 'p' }], '/orders/7', { ...key, params: 'p' }],
  ])('deletes with %s', async (_how, args, path, headers) => {
    const sent = service();
    await make().delete(...args);
    expect(sent).toEqual([{ url: `https://api.example/v1${path}`, method: 'DELETE', headers, body: undefined }]);
  });

  it.each(['post', 'put', 'patch'] as const)('%ss a body as JSON', async (method) => {
    const sent = service();
    await make()[method]('/orders', { body: { id: 7 }, headers: { 'X-Trace': 't' } });
    expect(sent).toEqual([
      {
        url: 'https://api.example/v1/orders',
        method: method.toUpperCase(),
        headers: { ...json, 'X-Trace': 't' },
        body: '{"id":7}',
      },
    ]);
  });

  it('posts a body as text when told to', async () => {
    const sent = service();
    await make().post('/orders', { body: 'a=1', json: false, headers: { 'Content-Type': 'text/plain' } });
    await make().post('/orders', { body: 7, json: false });
    expect(sent).toMatchObject([
      { body: 'a=1', headers: { ...key, 'Content-Type': 'text/plain' } },
      { body: '7', headers: key },
    ]);
  });

  it.each([undefined, null, 0, '', false])('posts nothing for %s', async (body) => {
    const sent = service();
    await make().post('/orders', { body });
    await make().post('/orders');
    for (const request of sent) {
      expect(request).toMatchObject({ method: 'POST', body: undefined, headers: key });
    }
  });

  it('says the type of its body once, as the call or the class wants it', async () => {
    const sent = service();
    await make().post('/orders', { body: [1], headers: { 'content-type': 'application/vnd.shop+json' } });
    const typed = class extends Mixed {
      static override defaultHeaders = { 'content-type': 'application/vnd.shop+json' };
    };
    await new typed().post('/orders', { body: [1] });
    expect(sent[0]?.headers).toEqual({ ...key, 'content-type': 'application/vnd.shop+json' });
    expect(sent[1]?.headers).toEqual({ 'content-type': 'application/vnd.shop+json' });
  });

  it('makes any other request, with the headers in any form', async () => {
    const sent = service();
    await make().request('HEAD', '/orders', { headers: new Headers({ 'x-api-key': 'other' }) });
    await make().request('QUERY', '/orders', { body: 'text', headers: [['X-Trace', 't']] });
    expect(sent).toMatchObject([
      { method: 'HEAD', headers: { 'x-api-key': 'other' } },
      { method: 'QUERY', body: 'text', headers: { ...key, 'X-Trace': 't' } },
    ]);
  });

  it.each([
    ['application/json; charset=utf-8', '{"a":[1]}', { a: [1] }],
    ['application/json', 'not JSON', 'not JSON'],
    ['application/json', '', ''],
    ['text/plain', '{"a":1}', '{"a":1}'],
  ])('reads an answer of type %s', async (type, body, expected) => {
    service({ headers: { 'Content-Type': type }, body });
    expect((await make().get('/orders')).body).toEqual(expected);
  });

  it('reads an answer without a type', async () => {
    service({ status: 204, headers: {}, body: null });
    const response = await make().get('/orders');
    expect([response.statusCode, response.body]).toEqual([204, '']);
  });
});

/** Answers nothing, and stops when it is told to. */
function deaf(): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(
    (_url, init) =>
      new Promise((_resolve, reject) => {
        const abort = () => reject(new DOMException('The operation was aborted.', 'AbortError'));
        if (init?.signal?.aborted) {
          abort();
        }
        init?.signal?.addEventListener('abort', abort);
      }),
  );
}

describe('the wait for an answer', () => {
  it('ends after the timeout, as an abort', async () => {
    class Hasty extends Mixed {
      static override defaultTimeout = 1;
    }
    deaf();
    await expect(new Hasty().get('/orders')).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('ends when the caller has had enough', async () => {
    deaf();
    const caller = new AbortController();
    const asked = new Mixed().request('GET', '/orders', { signal: caller.signal });
    caller.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('keeps no timer when it is over', async () => {
    service();
    const set = vi.spyOn(globalThis, 'setTimeout');
    const clear = vi.spyOn(globalThis, 'clearTimeout');
    await new Mixed().get('/orders');
    expect(set).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 30_000);
    expect(clear).toHaveBeenCalledExactlyOnceWith(set.mock.results[0]?.value);
  });
});

describe('the service of a handler', () => {
  class Api extends Shop {
    static override defaultTimeout = 5;
  }

  it('is one of its own, as a field or an assignment', () => {
    class Field extends Api {
      protected override baseUrl = 'https://field.example';
    }
    class Assigned extends Api {
      constructor() {
        super();
        this.baseUrl = 'https://assigned.example';
        this.timeout = 7;
      }
    }
    expect(new Field().open()).toMatchObject({ baseUrl: 'https://field.example', timeout: 5 });
    expect(new Assigned().open()).toMatchObject({ baseUrl: 'https://assigned.example', timeout: 7 });
    expect(new Api().open()).toMatchObject({ baseUrl: 'https://api.example/v1' });
  });

  it('is one of its own for applyAPI too', () => {
    class Field extends StepHandler {
      baseUrl = 'https://field.example';
      async call() {
        return this.success({});
      }
    }
    expect(applyAPI(new Field())).toMatchObject({
      baseUrl: 'https://field.example',
      timeout: 30_000,
      defaultHeaders: {},
    });
  });

  it('may be left out: then paths are URLs', async () => {
    const sent = service();
    await new APIMixin().get('https://other.example/x');
    expect(sent[0]).toMatchObject({ url: 'https://other.example/x', headers: {} });
  });
});

it('an ApiHandler says what it can do', () => {
  expect(new Shop().capabilities).toEqual(['process', 'http', 'api']);
});
