import type { ExecutableHandler } from '../handler/step-handler.js';
import type { BaseResolver, ResolverConfig } from './base-resolver.js';
import type { HandlerDefinition } from './handler-definition.js';

/** What a subclass of `RegistryResolver` declares. */
export interface RegistryResolverStatic {
  readonly _name: string;
  readonly _priority?: number;
  readonly pattern?: RegExp;
  readonly prefix?: string;
}

/** Base for a resolver of one's own: declare a pattern or a prefix, implement `resolveHandler`. */
export abstract class RegistryResolver implements BaseResolver {
  static readonly _name: string = 'custom_resolver';
  static readonly _priority: number = 50;
  static readonly pattern?: RegExp;
  static readonly prefix?: string;

  get name(): string {
    return this.#declared._name;
  }

  get priority(): number {
    return this.#declared._priority ?? 50;
  }

  canResolve(definition: HandlerDefinition, _config?: ResolverConfig): boolean {
    const { pattern, prefix } = this.#declared;
    if (pattern !== undefined) {
      // A sticky or global pattern remembers where it stopped; `search` starts afresh.
      return definition.callable.search(pattern) !== -1;
    }
    return prefix !== undefined && prefix !== '' && definition.callable.startsWith(prefix);
  }

  async resolve(definition: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null> {
    const { pattern } = this.#declared;
    const match = pattern === undefined ? null : definition.callable.match(pattern);
    return this.resolveHandler(definition, match, config);
  }

  abstract resolveHandler(
    definition: HandlerDefinition,
    match: RegExpMatchArray | null,
    config?: ResolverConfig,
  ): Promise<ExecutableHandler | null>;

  get #declared(): RegistryResolverStatic {
    return this.constructor as unknown as RegistryResolverStatic;
  }
}
