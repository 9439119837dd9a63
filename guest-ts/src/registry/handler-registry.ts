import type { ExecutableHandler, StepHandlerClass } from '../handler/step-handler.js';
import type { BaseResolver } from './base-resolver.js';
import { orNone } from './construct.js';
import type { ExplicitMappingResolver } from './explicit-mapping.js';
import { fromCallable, type HandlerDefinition, type HandlerSpec, normalizeToDefinition } from './handler-definition.js';
import { ResolverChain } from './resolver-chain.js';

/** As much of a registry as handlers are looked up by. */
export interface HandlerRegistryInterface {
  resolve(spec: HandlerSpec): Promise<ExecutableHandler | null>;
  register(name: string, handlerClass: StepHandlerClass): void;
  isRegistered(name: string): boolean;
  listHandlers(): string[];
}

let shared: HandlerRegistry | null = null;

/** Handlers by name. All registries share the default resolver chain, and with it their handlers. */
export class HandlerRegistry implements HandlerRegistryInterface {
  #initialized = false;

  /**
   * The registry a component dispatches from.
   *
   * @param _skipAutoBootstrap of no effect: the handlers were found when the component was built
   */
  static instance(_skipAutoBootstrap?: boolean): HandlerRegistry {
    shared ??= new HandlerRegistry();
    return shared;
  }

  async initialize(): Promise<void> {
    this.#initialized = true;
  }

  register(name: string, handlerClass: StepHandlerClass): void {
    if (typeof name !== 'string' || name === '') {
      throw new Error('Handler name must be a non-empty string');
    }
    if (typeof handlerClass !== 'function') {
      throw new Error(`handlerClass must be a StepHandler subclass, got ${typeof handlerClass}`);
    }
    this.#explicit.register(name, handlerClass);
    console.info(`[HandlerRegistry] Registered handler: ${name} -> ${handlerClass.name}`);
  }

  unregister(name: string): boolean {
    return this.#explicit.unregister(name);
  }

  /** A new instance of the handler, its method made `call`; `null`, with a warning, when there is none. */
  async resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    const definition = normalizeToDefinition(spec);
    return orWarn(definition, await this.#chain.resolve(definition));
  }

  /** `resolve` without a promise, for the resolvers that need none (the built-in ones). */
  resolveSync(spec: HandlerSpec): ExecutableHandler | null {
    const definition = normalizeToDefinition(spec);
    const handler = orNone('HandlerRegistry', () => {
      const located = this.#chain.locate(definition);
      return located instanceof Promise ? null : located;
    });
    return orWarn(definition, handler && this.#chain.wrapForMethodDispatch(handler, definition));
  }

  /** @deprecated Resolvers return instances; always `undefined`. */
  getHandlerClass(name: string): undefined {
    console.warn(`[HandlerRegistry] getHandlerClass('${name}') is deprecated: use resolve()`);
    return undefined;
  }

  isRegistered(name: string): boolean {
    return this.#explicit.canResolve(fromCallable(name));
  }

  listHandlers(): string[] {
    return this.#explicit.registeredCallables();
  }

  handlerCount(): number {
    return this.listHandlers().length;
  }

  clear(): void {
    for (const name of this.listHandlers()) {
      this.#explicit.unregister(name);
    }
  }

  async addResolver(resolver: BaseResolver): Promise<void> {
    this.#chain.addResolver(resolver);
  }

  async getResolver(name: string): Promise<BaseResolver | undefined> {
    return this.#chain.getResolver(name);
  }

  async listResolvers(): Promise<Array<[string, number]>> {
    return this.#chain.listResolvers();
  }

  async getResolverChain(): Promise<ResolverChain> {
    return this.#chain;
  }

  debugInfo(): { initialized: boolean; handlerCount: number; handlers: Record<string, string> } {
    const handlers: Record<string, string> = {};
    for (const name of this.listHandlers()) {
      const entry = this.#explicit.entry(name);
      handlers[name] = typeof entry === 'function' ? entry.name : (entry?.constructor.name ?? '');
    }
    return { initialized: this.#initialized, handlerCount: this.handlerCount(), handlers };
  }

  get #chain(): ResolverChain {
    return ResolverChain.shared();
  }

  get #explicit(): ExplicitMappingResolver {
    return this.#chain.explicit;
  }
}

function orWarn(definition: HandlerDefinition, handler: ExecutableHandler | null): ExecutableHandler | null {
  if (handler === null) {
    console.warn(`[HandlerRegistry] Handler not found: ${definition.callable}`);
  }
  return handler;
}
