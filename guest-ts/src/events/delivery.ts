/** One event to one subscriber, with the hooks around it. */

import type { BaseSubscriber } from './subscriber.js';
import { asError } from './sync-or-async.js';
import type { DomainEvent, SubscriberResult } from './types.js';

/** @returns what went wrong; null when the event was handled or not wanted */
export async function deliver(subscriber: BaseSubscriber, event: DomainEvent): Promise<Error | null> {
  try {
    if ((await subscriber.beforeHandle(event)) === false) {
      return null;
    }
    const result = (await subscriber.handle(event)) as SubscriberResult | undefined;
    await subscriber.afterHandle(event, result);
    return result?.success === false ? new Error(`it returned ${JSON.stringify(result)}`) : null;
  } catch (thrown) {
    const error = asError(thrown);
    await subscriber.onHandleError(event, error);
    return error;
  }
}
