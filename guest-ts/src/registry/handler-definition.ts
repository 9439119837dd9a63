/** How a template addresses a handler. */
export interface HandlerDefinition {
  callable: string;
  /** Entry point on the handler; null or empty means `call`. */
  method?: string | null;
  /** Name of the one resolver to use; null or empty means the whole chain. */
  resolver?: string | null;
  initialization?: Record<string, unknown>;
}

/** The same as it stands in a template: every key but `callable` may be absent. */
export interface HandlerDefinitionDto {
  callable: string;
  method?: string | null;
  resolver?: string | null;
  initialization?: Record<string, unknown> | null;
}

/** A callable alone, or all a template says. */
export type HandlerSpec = string | HandlerDefinition | HandlerDefinitionDto;

/** The method that is run: `call` where none is named. */
export function effectiveMethod(definition: HandlerDefinition): string {
  return definition.method || 'call';
}

/** Whether another method than `call` is run. */
export function usesMethodDispatch(definition: HandlerDefinition): boolean {
  return effectiveMethod(definition) !== 'call';
}

/** Whether one resolver is named. */
export function hasResolverHint(definition: HandlerDefinition): boolean {
  return Boolean(definition.resolver);
}

/** The definition of a callable alone. */
export function fromCallable(callable: string): HandlerDefinition {
  return { callable, method: null, resolver: null, initialization: {} };
}

/** The definition of what a template says; of nothing, the one with an empty callable. */
export function fromDto(dto: HandlerDefinitionDto | null | undefined): HandlerDefinition {
  return {
    callable: dto?.callable ?? '',
    method: dto?.method ?? null,
    resolver: dto?.resolver ?? null,
    initialization: dto?.initialization ?? {},
  };
}

/** The definition of either. */
export function normalizeToDefinition(spec: HandlerSpec): HandlerDefinition {
  return typeof spec === 'string' ? fromCallable(spec) : fromDto(spec);
}
