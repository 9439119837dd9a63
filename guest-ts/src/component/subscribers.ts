/** The component's export `subscribers`. Whatever a subscriber does, nothing but a text escapes: that would be a trap. */

import { deliver } from '../events/delivery.js';
import { ffiEventToDomainEvent } from '../events/factories.js';
import type { BaseSubscriber } from '../events/subscriber.js';
import { SubscriberRegistry } from '../events/subscriber-registry.js';
import { patternsOf, subscriberName } from '../events/subscription.js';
import type { FfiDomainEvent, StepResult } from '../events/types.js';
import { explain, loaded } from './event-failure.js';
import { Found, type Kind } from './found.js';
import { openHostLog } from './host-log.js';
import type { PackageModules } from './index.js';
import { once } from './once.js';
import type { WitSubscribers, WitSubscription } from './wit.js';

const SUBSCRIBER: Kind<BaseSubscriber> = {
  what: 'subscriber',
  methods: ['handle', 'beforeHandle', 'afterHandle', 'onHandleError'],
  // `BaseSubscriber` has no `handle`.
  notTheseClasses: [],
  nameOf: subscriberName,
};

/** The package's modules were initialised when the component was built. */
export function snapshotSubscribers(modules: PackageModules): WitSubscribers {
  const find = once(() => findSubscribers(modules));
  return subscribers(() => describe(find()), find);
}

/** The package's modules are initialised in the first call; their subscriptions were listed when it was built. */
export function lazySubscribers(
  subscriptions: WitSubscription[],
  loadModules: () => Promise<{ modules: PackageModules }>,
): WitSubscribers {
  return subscribers(
    () => subscriptions,
    once(async () => findSubscribers(await loaded(loadModules))),
  );
}

function findSubscribers({ discover }: PackageModules): Found<BaseSubscriber> {
  const exported = discover.flatMap((exports) => Object.values(exports));
  return new Found(SUBSCRIBER, [...SubscriberRegistry.instance.registered, ...exported]);
}

function describe(found: Found<BaseSubscriber>): WitSubscription[] {
  return [...found.all()].map(([name, subscriber]) => ({
    subscriber: name,
    patterns: patternsOf(subscriber).map(String),
  }));
}

function subscribers(
  list: () => WitSubscription[],
  find: () => Found<BaseSubscriber> | Promise<Found<BaseSubscriber>>,
): WitSubscribers {
  return {
    listSubscriptions: list,
    async onEvent(name, text) {
      openHostLog();
      try {
        const found = await find();
        const subscriber = found.named(name);
        if (subscriber === undefined) {
          throw found.missing(name);
        }
        const event = JSON.parse(text) as FfiDomainEvent & { executionResult?: StepResult };
        const failure = await deliver(subscriber, ffiEventToDomainEvent(event, event.executionResult ?? undefined));
        if (failure !== null) {
          throw failure;
        }
      } catch (error) {
        throw explain(error);
      }
    },
  };
}
