/** A response that is read twice. */

import { expect, it } from 'vitest';
import { cloneOf } from '../../src/platform/response.js';

const answer = () => new Response('{"a":"ä"}', { status: 201, headers: { 'content-type': 'application/json' } });

it('a clone and its original have the same status, headers and body', async () => {
  const original = answer();
  const clone = cloneOf(original);
  for (const { status, headers, bodyUsed } of [original, clone]) {
    expect([status, headers.get('content-type'), bodyUsed]).toEqual([201, 'application/json', false]);
  }
  expect(await clone.json()).toEqual({ a: 'ä' });
  expect([original.bodyUsed, clone.bodyUsed]).toEqual([false, true]);
  expect(await original.text()).toBe('{"a":"ä"}');
  expect(original.bodyUsed).toBe(true);
  await expect(original.text()).rejects.toThrow(TypeError);
});

it('a response can be cloned again, and its body be read as a stream', async () => {
  const original = answer();
  const clones = [cloneOf(original), cloneOf(original)];
  const reader = (original.body as ReadableStream<Uint8Array>).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain('{"a"');
  expect(await Promise.all(clones.map((clone) => clone.text()))).toEqual(['{"a":"ä"}', '{"a":"ä"}']);
});

it('a response without a body has clones without one', async () => {
  const clone = cloneOf(new Response(null, { status: 204 }));
  expect([clone.status, clone.body, await clone.text()]).toEqual([204, null, '']);
});

it('what was read cannot be cloned', async () => {
  const original = answer();
  await original.text();
  expect(() => cloneOf(original)).toThrow('the body has already been read');
});
