/**
 * Subscribers handle fast events of their own namespace, at most once each.
 *
 * Two forms are written, and both work: `static subscribesTo()`, or the documented one with `subscribesTo()` on the
 * instance, a static `subscriberName` and a `handle` that returns a `SubscriberResult`.
 */

import { deliver } from './delivery.js';
import { type EventLogger, eventLogger } from './logger.js';
import { matchesPattern } from './pattern.js';
import type { InProcessDomainEventPoller } from './poller.js';
import { patternsOf } from './subscription.js';
import type { DomainEvent, HookReturn, SubscriberResult } from './types.js';

/** A class that subscribers are constructed from. */
export interface SubscriberClass {
  subscribesTo(): string[];
  readonly name: string;
  new (): BaseSubscriber;
}

/** Base of every subscriber. */
export abstract class BaseSubscriber {
  protected readonly logger: EventLogger = eventLogger();
  private started = false;
  private subscribed: string[] = [];

  /** Event names; `*` stands for any characters. */
  static subscribesTo(): string[] {
    return ['*'];
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: an async handler that returns nothing is a `Promise<void>`
  abstract handle(event: DomainEvent): void | SubscriberResult | Promise<void | SubscriberResult>;

  /** `false`, and nothing else, leaves the event out. */
  beforeHandle(_event: DomainEvent): HookReturn {
    return true;
  }

  afterHandle(_event: DomainEvent, _result?: SubscriberResult): HookReturn {}

  onHandleError(event: DomainEvent, error: Error): HookReturn {
    const fields = { event_name: event.eventName, error: error.message };
    this.logger.error(fields, `${this.constructor.name} failed to handle the event`);
  }

  matches(eventName: string): boolean {
    return patternsOf(this).some((pattern) => matchesPattern(eventName, pattern));
  }

  get active(): boolean {
    return this.started;
  }

  get subscriptions(): readonly string[] {
    return this.subscribed;
  }

  /** In a component the host delivers events: nothing needs to be started there. */
  start(poller?: InProcessDomainEventPoller): void {
    if (this.started) {
      return;
    }
    this.started = true;
    this.subscribed = [...patternsOf(this)];
    for (const pattern of this.subscribed) {
      poller?.subscribe(pattern, async (event) => {
        if (this.started) {
          await deliver(this, event);
        }
      });
    }
  }

  stop(): void {
    this.started = false;
    this.subscribed = [];
  }
}
