/** What a package's grants bring into its component: the host behind the client and behind direct events. */

import { expect, it, vi } from 'vitest';

it('the client and events are the host’s once their modules are there, and not before', async () => {
  vi.resetModules();
  const { getTaskerClient, publishEvent } = await import('../src/index.js');
  const { hostClient } = await import('./host/client.js');
  const { hostEvents } = await import('./host/events.js');
  const client = await getTaskerClient();
  expect(() => client.healthCheck()).toThrow('client capability not granted');
  expect(() => publishEvent('order.paid', {})).toThrow('events capability not granted');

  await import('../src/component/host-client.js');
  await import('../src/component/host-events.js');
  expect([hostClient.calls, hostEvents.published]).toEqual([[], []]);
  hostClient.answers.push({ healthy: true });
  expect(client.healthCheck()).toEqual({ healthy: true });
  expect(publishEvent('order.paid', {})).toBe('0198a000-0000-7000-8000-000000000009');
  expect(hostClient.calls).toEqual([['healthCheck']]);
});
