/**
 * The component's export, `handlers`. The build generates an entry that calls one of the two functions here:
 * `snapshotComponent` when the package's modules may be initialised while the component is built, `lazyComponent`
 * when that has to wait for the call. The exports of a package with publishers or subscribers are made the same way.
 */

import { type ModuleTable, setModuleTable } from '../registry/class-lookup.js';
import { HandlerRegistry } from '../registry/handler-registry.js';
import { ResolverChain } from '../registry/resolver-chain.js';
import { messageOf } from '../types/thrown.js';
import { VERSION } from '../version.js';
import { describeHandlers } from './describe.js';
import { type ModuleExports, registerHandlers } from './discover.js';
import { dispatch } from './dispatch.js';
import { installHostCheckpoint } from './host-checkpoint.js';
import { installHostLog, openHostLog } from './host-log.js';
import type { WitDispatchError, WitHandlerDescriptor, WitHandlers } from './wit.js';

export { prewarm } from './prewarm.js';
export { lazyPublishers, snapshotPublishers } from './publishers.js';
export { lazySubscribers, snapshotSubscribers } from './subscribers.js';
export type { WitHandlerDescriptor, WitPublisherDescriptor, WitSubscription } from './wit.js';

export interface PackageModules {
  /** Modules whose exports are searched for handlers. */
  discover: readonly ModuleExports[];
  /** Modules that templates name by path. */
  table: ModuleTable;
  /** Callables that the template leaves to a resolver of the package, and the methods it names. */
  resolved?: Readonly<Record<string, readonly string[]>>;
}

installHostLog();
installHostCheckpoint();

/** Registers the package's handlers at once. */
export function snapshotComponent(modules: PackageModules): WitHandlers {
  const chain = load(modules);
  // Describing constructs the handlers, and a constructor need not be as pure as a module: not before the call.
  return component(
    () => describeHandlers(chain.explicit, modules),
    () => chain,
  );
}

/**
 * Registers the package's handlers in the first call. Their descriptors were taken when the component was built, so
 * describing it initialises nothing.
 */
export function lazyComponent(
  descriptors: WitHandlerDescriptor[],
  loadModules: () => Promise<{ modules: PackageModules }>,
): WitHandlers {
  let chain: ResolverChain | null = null;
  return component(
    () => descriptors,
    async () => {
      try {
        chain ??= load((await loadModules()).modules);
        return chain;
      } catch (error) {
        throw {
          tag: 'handler-init-failed',
          val: `the package's modules failed to load: ${messageOf(error)}`,
        } satisfies WitDispatchError;
      }
    },
  );
}

function component(
  descriptors: () => WitHandlerDescriptor[],
  ready: () => ResolverChain | Promise<ResolverChain>,
): WitHandlers {
  return {
    describe() {
      return { sdk: { name: '@tasker-wasm/guest', version: VERSION, language: 'typescript' }, handlers: descriptors() };
    },
    handle(context) {
      openHostLog();
      const chain = ready();
      return chain instanceof Promise ? chain.then((loaded) => dispatch(loaded, context)) : dispatch(chain, context);
    },
  };
}

function load(modules: PackageModules): ResolverChain {
  setModuleTable(modules.table);
  const chain = ResolverChain.shared();
  registerHandlers(modules.discover, chain.explicit, HandlerRegistry.instance());
  return chain;
}
