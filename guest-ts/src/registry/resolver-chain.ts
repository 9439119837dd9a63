import type { ExecutableHandler } from '../handler/step-handler.js';
import { createLogger } from '../logging/index.js';
import type { BaseResolver, ResolverConfig } from './base-resolver.js';
import { ClassLookupResolver } from './class-lookup.js';
import { ResolverNotFoundError } from './errors.js';
import { ExplicitMappingResolver } from './explicit-mapping.js';
import { effectiveMethod, type HandlerDefinition, usesMethodDispatch } from './handler-definition.js';
import { handlerMethod, MethodDispatchWrapper } from './method-dispatch.js';

const log = createLogger({ component: 'resolver-chain' });

let sharedChain: ResolverChain | null = null;

/** Resolvers in ascending priority. */
export class ResolverChain {
  #resolvers: BaseResolver[] = [];
  readonly #byName = new Map<string, BaseResolver>();

  /** The chain all registries share. */
  static async default(): Promise<ResolverChain> {
    return ResolverChain.shared();
  }

  /** `default` without a promise. */
  static shared(): ResolverChain {
    sharedChain ??= ResolverChain.withResolvers([new ExplicitMappingResolver(), new ClassLookupResolver()]);
    return sharedChain;
  }

  static resetDefault(): void {
    sharedChain = null;
  }

  static withResolvers(resolvers: BaseResolver[]): ResolverChain {
    const chain = new ResolverChain();
    for (const resolver of resolvers) {
      chain.addResolver(resolver);
    }
    return chain;
  }

  addResolver(resolver: BaseResolver): void {
    this.#byName.set(resolver.name, resolver);
    this.#resolvers = [...this.#resolvers, resolver].sort((a, b) => a.priority - b.priority);
  }

  getResolver(name: string): BaseResolver | undefined {
    return this.#byName.get(name);
  }

  /** The resolver that handlers are registered with. */
  get explicit(): ExplicitMappingResolver {
    const resolver = this.#byName.get('explicit_mapping');
    if (resolver instanceof ExplicitMappingResolver) {
      return resolver;
    }
    throw new Error("A resolver of another kind took the name 'explicit_mapping': give it its own name");
  }

  listResolvers(): Array<[string, number]> {
    return this.#resolvers.map((resolver) => [resolver.name, resolver.priority]);
  }

  /** The handler for a definition, its method made `call`; `null` when no resolver knows it. */
  async resolve(definition: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null> {
    for (const resolver of this.#candidates(definition)) {
      if (resolver.canResolve(definition, config)) {
        const handler = await resolver.resolve(definition, config);
        if (handler !== null) {
          return this.wrapForMethodDispatch(handler, definition);
        }
      }
    }
    return null;
  }

  /**
   * The handler itself, whichever method the definition names, at once where the resolver can.
   *
   * @param first which of the candidates to begin with
   * @throws ResolverNotFoundError when the definition names an unknown resolver
   * @throws HandlerInitError when the handler exists and cannot be constructed
   */
  locate(
    definition: HandlerDefinition,
    config?: ResolverConfig,
    first = 0,
  ): ExecutableHandler | null | Promise<ExecutableHandler | null> {
    const candidates = this.#candidates(definition);
    // Indexed: this runs in every step, and iterators are slow in an interpreter.
    for (let index = first; index < candidates.length; index += 1) {
      const resolver = candidates[index] as BaseResolver;
      if (!resolver.canResolve(definition, config)) {
        continue;
      }
      if (resolver.resolveSync === undefined) {
        return Promise.resolve(resolver.resolve(definition, config)).then(
          (handler) => handler ?? this.locate(definition, config, index + 1),
        );
      }
      const handler = resolver.resolveSync(definition, config);
      if (handler !== null) {
        return handler;
      }
    }
    return null;
  }

  /** Upstream's rule: a handler without the method is returned as it is, with a warning. */
  wrapForMethodDispatch(handler: ExecutableHandler, definition: HandlerDefinition): ExecutableHandler {
    if (!usesMethodDispatch(definition)) {
      return handler;
    }
    const method = effectiveMethod(definition);
    if (handlerMethod(handler, method) === null) {
      log.warn('Handler does not have requested method', {
        operation: 'wrap_for_method_dispatch',
        handler_name: handler.name,
        method,
      });
      return handler;
    }
    return new MethodDispatchWrapper(handler, method);
  }

  #candidates(definition: HandlerDefinition): BaseResolver[] {
    const hint = definition.resolver;
    if (!hint) {
      return this.#resolvers;
    }
    const resolver = this.#byName.get(hint);
    if (resolver === undefined) {
      throw new ResolverNotFoundError(hint);
    }
    return [resolver];
  }
}
