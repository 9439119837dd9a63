/** Events that handlers send by themselves. */

import { afterEach, describe, expect, it } from 'vitest';
import { clearEventRuntime, EventPublishError, publishEvent, setEventRuntime } from '../../src/index.js';

afterEach(clearEventRuntime);

function refusal(name: string): EventPublishError {
  try {
    publishEvent(name, {});
  } catch (error) {
    expect(error).toBeInstanceOf(EventPublishError);
    return error as EventPublishError;
  }
  throw new Error('the event left');
}

describe('an event that leaves at once', () => {
  it('goes to the host, durably unless told otherwise, and its id comes back', () => {
    const events: unknown[] = [];
    setEventRuntime((event) => {
      events.push(event);
      return `id-${events.length}`;
    });
    expect(publishEvent('order.paid', { order: 7 })).toBe('id-1');
    const options = { metadata: { by: 'test' }, delivery: 'fast', idempotencyKey: 'k' } as const;
    expect(publishEvent('order.paid', undefined, options)).toBe('id-2');
    expect(events).toEqual([
      { name: 'order.paid', payload: '{"order":7}', metadata: '{}', delivery: 'durable', idempotencyKey: undefined },
      { name: 'order.paid', payload: 'null', metadata: '{"by":"test"}', delivery: 'fast', idempotencyKey: 'k' },
    ]);
  });

  it('needs the grant', () => {
    expect(refusal('order.paid')).toMatchObject({ message: 'events capability not granted', recoverable: false });
  });

  it.each([
    [{ tag: 'not-granted' }, 'events capability not granted', false],
    [{ tag: 'invalid', val: 'no dot' }, 'no dot', false],
    [{ tag: 'unavailable', val: 'no database' }, 'no database', true],
    [undefined, 'odd', false],
  ])('may be refused: %j', (payload, message, recoverable) => {
    setEventRuntime(() => {
      throw Object.assign(new Error('odd'), { payload });
    });
    expect(refusal('paid')).toMatchObject({ name: 'EventPublishError', message, recoverable });
  });
});
