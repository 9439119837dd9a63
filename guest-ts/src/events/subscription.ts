/** What a subscriber is called and which events it wants, in whichever form it says so. */

import { eventLogger } from './logger.js';
import type { BaseSubscriber } from './subscriber.js';

type Says = { subscribesTo?(): string[]; subscriberName?: unknown; patterns?: unknown };

let warned = false;

export function patternsOf(subscriber: BaseSubscriber): string[] {
  const own = subscriber as Says;
  const type = subscriber.constructor as Says;
  if (own.patterns !== undefined && !warned) {
    warned = true;
    eventLogger().warn(
      { subscriber: subscriberName(subscriber) },
      'A field `patterns` has no effect: return the event names from subscribesTo()',
    );
  }
  return own.subscribesTo?.() ?? type.subscribesTo?.() ?? ['*'];
}

export function subscriberName(subscriber: BaseSubscriber): string {
  const name = (subscriber as Says).subscriberName ?? (subscriber.constructor as Says).subscriberName;
  return typeof name === 'string' && name !== '' ? name : subscriber.constructor.name;
}
