import type { StepHandler, StepHandlerClass } from '../handler/step-handler.js';
import type { BaseResolver, ResolverConfig } from './base-resolver.js';
import { construct, orNone } from './construct.js';
import { HandlerInitError } from './errors.js';
import type { HandlerDefinition } from './handler-definition.js';

/** Makes a handler, for each resolve anew. */
export type HandlerFactory = (config: ResolverConfig) => StepHandler;

/** A class (constructed for each resolve), a factory (called for each resolve) or a shared instance. */
export type HandlerEntry = StepHandlerClass | StepHandler | HandlerFactory;

/** Resolves the callables that were registered. Asked first. */
export class ExplicitMappingResolver implements BaseResolver {
  readonly name: string;
  readonly priority = 10;
  readonly #entries = new Map<string, HandlerEntry>();

  constructor(name = 'explicit_mapping') {
    this.name = name;
  }

  register(callable: string, entry: HandlerEntry): void {
    this.#entries.set(callable, entry);
  }

  unregister(callable: string): boolean {
    return this.#entries.delete(callable);
  }

  registeredCallables(): string[] {
    return [...this.#entries.keys()];
  }

  /** What was registered for a callable. */
  entry(callable: string): HandlerEntry | undefined {
    return this.#entries.get(callable);
  }

  canResolve(definition: HandlerDefinition): boolean {
    return this.#entries.has(definition.callable);
  }

  async resolve(definition: HandlerDefinition, config?: ResolverConfig): Promise<StepHandler | null> {
    return orNone('ExplicitMappingResolver', () => this.resolveSync(definition, config));
  }

  resolveSync(definition: HandlerDefinition, config?: ResolverConfig): StepHandler | null {
    const entry = this.#entries.get(definition.callable);
    if (entry === undefined) {
      return null;
    }
    if (typeof entry !== 'function') {
      return entry;
    }
    if (entry.prototype !== undefined && 'handlerName' in entry) {
      return construct(entry as StepHandlerClass);
    }
    try {
      return (entry as HandlerFactory)(config ?? {});
    } catch (error) {
      throw new HandlerInitError('Factory failed', error);
    }
  }
}
