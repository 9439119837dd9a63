import type { ExecutableHandler } from '../handler/step-handler.js';
import type { HandlerDefinition } from './handler-definition.js';

/** Free-form settings handed to resolvers and handler factories. */
export interface ResolverConfig {
  [key: string]: unknown;
}

/** Turns a callable into a handler. Resolvers are asked in ascending priority. */
export interface BaseResolver {
  readonly name: string;
  /** 1 to 20 explicit mappings, 21 to 50 a domain's own, 51 to 99 patterns, 100 and up guesses. */
  readonly priority: number;
  canResolve(definition: HandlerDefinition, config?: ResolverConfig): boolean;
  /** `null` passes the callable on to the next resolver. */
  resolve(definition: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null>;
  /**
   * The same without a promise. Resolvers that have it can serve `resolveSync`, and a handler whose construction
   * fails is told apart from one that does not exist.
   *
   * @throws HandlerInitError when the handler exists and cannot be constructed
   */
  resolveSync?(definition: HandlerDefinition, config?: ResolverConfig): ExecutableHandler | null;
}
