/** The descriptor of each registered handler. A handler that cannot be constructed is described from its class. */

import { isHelper } from '../handler/helpers.js';
import { type ExecutableHandler, StepHandler, type StepHandlerClass } from '../handler/step-handler.js';
import type { ExplicitMappingResolver } from '../registry/explicit-mapping.js';
import { fromCallable } from '../registry/handler-definition.js';
import type { WitHandlerDescriptor } from './wit.js';

export function describeHandlers(explicit: ExplicitMappingResolver): WitHandlerDescriptor[] {
  return explicit.registeredCallables().map((callable) => describeHandler(explicit, callable));
}

function describeHandler(explicit: ExplicitMappingResolver, callable: string): WitHandlerDescriptor {
  let handler: ExecutableHandler | null = null;
  try {
    handler = explicit.resolveSync(fromCallable(callable));
  } catch {
    // Calls will say why: dispatch-error::handler-init-failed.
  }
  const entry = explicit.entry(callable);
  const prototype = handler ?? (typeof entry === 'function' ? (entry as StepHandlerClass).prototype : entry);
  return {
    name: callable,
    version: read(() => String(handler?.version ?? (entry as StepHandlerClass).handlerVersion ?? '1.0.0'), '1.0.0'),
    capabilities: read(() => (handler?.capabilities ?? ['process']).map(String), ['process']),
    methods: read(() => methodsOf(prototype), ['call']),
    configSchema: read(() => schemaOf(handler), undefined),
  };
}

/** Own functions of the handler and its classes, up to what every handler inherits. */
function methodsOf(handler: object | undefined): string[] {
  const methods = new Set(['call']);
  for (
    let level: object | null = handler ?? null;
    level !== null && level !== StepHandler.prototype && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      const { value } = property;
      if (
        typeof value === 'function' &&
        !isHelper(value) &&
        !name.startsWith('_') &&
        !(name in StepHandler.prototype)
      ) {
        methods.add(name);
      }
    }
  }
  return [...methods];
}

function schemaOf(handler: ExecutableHandler | null): string | undefined {
  const schema = handler?.configSchema() ?? null;
  return schema === null ? undefined : JSON.stringify(schema);
}

function read<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
