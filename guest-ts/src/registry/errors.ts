/** Something went wrong between a callable and its handler. */
export class ResolutionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ResolutionError';
  }
}

/** A template or caller named a resolver that is not in the chain. */
export class ResolverNotFoundError extends ResolutionError {
  readonly resolverName: string;

  constructor(resolverName: string) {
    super(`Resolver not found: '${resolverName}'`);
    this.name = 'ResolverNotFoundError';
    this.resolverName = resolverName;
  }
}

/** No resolver knew the callable. */
export class NoResolverMatchError extends ResolutionError {
  readonly callable: string;
  readonly triedResolvers: string[];

  constructor(callable: string, triedResolvers: string[]) {
    super(`No resolver could resolve callable '${callable}'. Tried: ${triedResolvers.join(', ') || 'none'}`);
    this.name = 'NoResolverMatchError';
    this.callable = callable;
    this.triedResolvers = triedResolvers;
  }
}

/** The handler exists, the method does not. */
export class MethodDispatchError extends ResolutionError {
  readonly handlerName: string;
  readonly methodName: string;

  constructor(handlerName: string, methodName: string) {
    super(`Handler '${handlerName}' does not have method '${methodName}'`);
    this.name = 'MethodDispatchError';
    this.handlerName = handlerName;
    this.methodName = methodName;
  }
}

/** The handler was found and could not be constructed; `cause` is what its constructor or factory threw. */
export class HandlerInitError extends ResolutionError {
  constructor(message: string, cause: unknown) {
    super(message);
    this.name = 'HandlerInitError';
    this.cause = cause;
  }
}
