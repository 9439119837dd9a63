/**
 * Subscribers that start and stop together. In a component, those that a module registers when it loads are found
 * beside those it exports, and the host delivers to them: there nothing needs to be started.
 */

import { eventLogger } from './logger.js';
import type { InProcessDomainEventPoller } from './poller.js';
import type { BaseSubscriber, SubscriberClass } from './subscriber.js';
import { patternsOf } from './subscription.js';

/** Which subscribers there are, and which of them have started. */
export interface SubscriberStats {
  readonly started: boolean;
  /** Instances. */
  readonly subscriberCount: number;
  readonly activeCount: number;
  readonly subscribers: ReadonlyArray<{
    readonly className: string;
    readonly active: boolean;
    readonly patterns: readonly string[];
  }>;
}

let shared: SubscriberRegistry | null = null;

/** Subscribers that start and stop together; there is one registry. */
export class SubscriberRegistry {
  private readonly classes: SubscriberClass[] = [];
  private readonly instances: BaseSubscriber[] = [];
  private started = false;

  private constructor() {}

  static get instance(): SubscriberRegistry {
    shared ??= new SubscriberRegistry();
    return shared;
  }

  static getInstance(): SubscriberRegistry {
    return SubscriberRegistry.instance;
  }

  /** @param subscriber a class, constructed when all start; an instance is taken as it is */
  register(subscriber: SubscriberClass | BaseSubscriber): void {
    if (typeof subscriber === 'function') {
      this.classes.push(subscriber);
    } else {
      this.registerInstance(subscriber);
    }
  }

  registerInstance(subscriber: BaseSubscriber): void {
    this.instances.push(subscriber);
  }

  /** Classes and instances as they were registered. */
  get registered(): ReadonlyArray<SubscriberClass | BaseSubscriber> {
    return [...this.classes, ...this.instances];
  }

  /** One that cannot be constructed or started is left out, with a log record. */
  startAll(poller?: InProcessDomainEventPoller): void {
    if (this.started) {
      return;
    }
    this.started = true;
    const isNew = (type: SubscriberClass) => !this.instances.some((subscriber) => subscriber.constructor === type);
    for (const type of this.classes.filter(isNew)) {
      attempt(type.name, 'be constructed', () => this.instances.push(new type()));
    }
    for (const subscriber of this.instances) {
      attempt(subscriber.constructor.name, 'start', () => subscriber.start(poller));
    }
  }

  stopAll(): void {
    if (!this.started) {
      return;
    }
    this.started = false;
    for (const subscriber of this.instances) {
      attempt(subscriber.constructor.name, 'stop', () => subscriber.stop());
    }
  }

  /** Started subscribers that want the event. */
  getMatchingSubscribers(eventName: string): BaseSubscriber[] {
    return this.instances.filter((subscriber) => subscriber.matches(eventName));
  }

  get isStarted(): boolean {
    return this.started;
  }

  /** Classes and instances. */
  get count(): number {
    return this.classes.length + this.instances.length;
  }

  get stats(): SubscriberStats {
    return {
      started: this.started,
      subscriberCount: this.instances.length,
      activeCount: this.instances.filter(({ active }) => active).length,
      subscribers: this.instances.map((subscriber) => ({
        className: subscriber.constructor.name,
        active: subscriber.active,
        patterns: patternsOf(subscriber),
      })),
    };
  }

  /** Stops and forgets all. */
  reset(): void {
    this.stopAll();
    this.classes.length = 0;
    this.instances.length = 0;
  }
}

function attempt(subscriber: string, what: string, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    eventLogger().error({ subscriber, error: String(error) }, `A subscriber could not ${what}`);
  }
}
