/** The component's export `publishers`. Whatever a publisher does, nothing but a text escapes: that would be a trap. */

import { createStepEventContext } from '../events/factories.js';
import { compose, letThrough, nameOf, type Publication, reportFailure, reportSuccess } from '../events/publication.js';
import { BasePublisher, DefaultPublisher } from '../events/publisher.js';
import { PublisherRegistry } from '../events/publisher-registry.js';
import { syncOrAsync } from '../events/sync-or-async.js';
import type { EventDeclaration, PublishContext, StepEventContext, StepResult } from '../events/types.js';
import { logError } from '../logging/index.js';
import { explain, loaded } from './event-failure.js';
import { Found, type Kind } from './found.js';
import { openHostLog } from './host-log.js';
import type { PackageModules } from './index.js';
import { once } from './once.js';
import type { WitPublication, WitPublisherDescriptor, WitPublishers, WitPublishRequest } from './wit.js';

interface RequestContext {
  declaration: EventDeclaration;
  stepResult: StepResult;
  stepContext: Omit<StepEventContext, 'result'>;
}

const PUBLISHER: Kind<BasePublisher> = {
  what: 'publisher',
  methods: [
    'shouldPublish',
    'transformPayload',
    'additionalMetadata',
    'beforePublish',
    'afterPublish',
    'onPublishError',
  ],
  notTheseClasses: [BasePublisher, DefaultPublisher],
  nameOf,
};

/** The package's modules were initialised when the component was built. */
export function snapshotPublishers(modules: PackageModules): WitPublishers {
  const find = once(() => findPublishers(modules));
  return publishers(() => describe(find()), find);
}

/** The package's modules are initialised in the first call; their publishers were listed when it was built. */
export function lazyPublishers(
  descriptors: WitPublisherDescriptor[],
  loadModules: () => Promise<{ modules: PackageModules }>,
): WitPublishers {
  return publishers(
    () => descriptors,
    once(async () => findPublishers(await loaded(loadModules))),
  );
}

function findPublishers({ discover }: PackageModules): Found<BasePublisher> {
  const registry = PublisherRegistry.instance;
  const registered = registry.registeredNames.map((name) => registry.get(name));
  return new Found(PUBLISHER, [...registered, ...discover.flatMap((exports) => Object.values(exports))]);
}

function describe(found: Found<BasePublisher>): WitPublisherDescriptor[] {
  const { afterPublish, onPublishError } = BasePublisher.prototype;
  return [...found.all()].map(([name, publisher]) => ({
    name,
    reports: publisher.afterPublish !== afterPublish || publisher.onPublishError !== onPublishError,
  }));
}

function publishers(
  list: () => WitPublisherDescriptor[],
  find: () => Found<BasePublisher> | Promise<Found<BasePublisher>>,
): WitPublishers {
  const named = async (name: string): Promise<BasePublisher> => {
    const found = await find();
    const publisher = found.named(name) ?? (name === 'default' ? new DefaultPublisher() : undefined);
    if (publisher === undefined) {
      throw found.missing(name);
    }
    return publisher;
  };
  return {
    listPublishers: list,
    async prepare(request) {
      openHostLog();
      try {
        const publication = await syncOrAsync(decide(await named(request.publisher), read(request)));
        return publication === null ? { tag: 'skip' } : { tag: 'publish', val: written(publication) };
      } catch (error) {
        throw explain(error);
      }
    },
    async published(request, { payload, metadata }, failure) {
      openHostLog();
      try {
        const publisher = await named(request.publisher);
        const context = read(request);
        const publication = { payload: JSON.parse(payload), metadata: JSON.parse(metadata) };
        await syncOrAsync<unknown>(
          failure === undefined
            ? reportSuccess(publisher, context, publication)
            : reportFailure(publisher, context, failure, publication.payload),
        );
      } catch (error) {
        logError('A publisher failed when it was told how its event fared', {
          publisher: request.publisher,
          error: explain(error),
        });
      }
    },
  };
}

function* decide(publisher: BasePublisher, context: PublishContext): Generator<unknown, Publication | null> {
  const publication = yield* compose(publisher, context);
  if (publication === null) {
    return null;
  }
  try {
    return (yield* letThrough(publisher, context, publication)) ? publication : null;
  } catch (error) {
    yield* reportFailure(publisher, context, error, publication.payload);
    throw error;
  }
}

function read({ publisher, context }: WitPublishRequest): PublishContext {
  const { declaration, stepResult, stepContext } = JSON.parse(context) as RequestContext;
  return {
    eventName: declaration.name,
    stepResult,
    eventDeclaration: { ...declaration, publisher },
    stepContext: createStepEventContext({ ...stepContext, ...(stepResult.result && { result: stepResult.result }) }),
  };
}

/** @throws TypeError for what has no JSON form */
function written({ payload, metadata }: Publication): WitPublication {
  return { payload: JSON.stringify(payload) ?? 'null', metadata: JSON.stringify(metadata) };
}
