/**
 * The descriptor of each callable the component serves: of those that are registered, those that are paths of modules,
 * and those that only a resolver of the package knows, of which nothing can be told but that a template names them. A
 * handler that cannot be constructed is described from its class.
 */

import { isHelper } from '../handler/helpers.js';
import { type ExecutableHandler, StepHandler, type StepHandlerClass } from '../handler/step-handler.js';
import { ClassLookupResolver } from '../registry/class-lookup.js';
import type { ExplicitMappingResolver } from '../registry/explicit-mapping.js';
import { fromCallable } from '../registry/handler-definition.js';
import type { PackageModules } from './index.js';
import type { WitHandlerDescriptor } from './wit.js';

export function describeHandlers(
  explicit: ExplicitMappingResolver,
  { table, resolved = {} }: PackageModules,
): WitHandlerDescriptor[] {
  const byPath = new ClassLookupResolver();
  const registered = explicit.registeredCallables();
  const others = new Set([...Object.keys(table).filter((path) => byPath.entry(path)), ...Object.keys(resolved)]);
  return [
    ...registered.map((callable) => describeHandler(callable, explicit)),
    ...[...others]
      .filter((callable) => !registered.includes(callable))
      .map((callable) => describeHandler(callable, byPath, resolved[callable])),
  ];
}

/** @param methods of a handler that only a call can make */
function describeHandler(
  callable: string,
  resolver: ExplicitMappingResolver | ClassLookupResolver,
  methods?: readonly string[],
): WitHandlerDescriptor {
  let handler: ExecutableHandler | null = null;
  try {
    handler = resolver.resolveSync(fromCallable(callable));
  } catch {
    // Calls will say why: dispatch-error::handler-init-failed.
  }
  const entry = resolver.entry(callable);
  const prototype = handler ?? (typeof entry === 'function' ? (entry as StepHandlerClass).prototype : entry);
  return {
    name: callable,
    version: read(() => String(handler?.version ?? (entry as StepHandlerClass).handlerVersion ?? '1.0.0'), '1.0.0'),
    capabilities: read(() => (handler?.capabilities ?? ['process']).map(String), ['process']),
    methods: read(() => [...(methods ?? methodsOf(prototype))], ['call']),
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
