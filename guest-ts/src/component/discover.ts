/**
 * Which handlers a package has. The build names the modules; their exports decide:
 * the arrays `ALL_EXAMPLE_HANDLERS` and `ALL_DSL_HANDLERS` where there are any, else every export with a string
 * `handlerName`. A function `register...Handlers(registry)` is called with the component's registry.
 */

import type { StepHandlerClass } from '../handler/step-handler.js';
import { isHandlerClass } from '../registry/construct.js';
import type { ExplicitMappingResolver } from '../registry/explicit-mapping.js';
import type { HandlerRegistry } from '../registry/handler-registry.js';

export type ModuleExports = Readonly<Record<string, unknown>>;

const REGISTER_FUNCTION = /^register\w*Handlers$/;

export function registerHandlers(
  modules: readonly ModuleExports[],
  explicit: ExplicitMappingResolver,
  registry: HandlerRegistry,
): void {
  for (const exports of modules) {
    for (const type of handlerClasses(exports)) {
      register(explicit, type);
    }
    for (const [name, value] of Object.entries(exports)) {
      if (REGISTER_FUNCTION.test(name) && typeof value === 'function') {
        value(registry);
      }
    }
  }
}

function handlerClasses(exports: ModuleExports): StepHandlerClass[] {
  const listed = [exports.ALL_EXAMPLE_HANDLERS, exports.ALL_DSL_HANDLERS].filter(Array.isArray).flat();
  return (listed.length > 0 ? listed : Object.values(exports)).filter(isHandlerClass);
}

function register(explicit: ExplicitMappingResolver, type: StepHandlerClass): void {
  const known = explicit.entry(type.handlerName);
  if (known !== undefined && known !== type) {
    const other = typeof known === 'function' ? known.name : 'an instance';
    throw new Error(
      `Two handlers are named '${type.handlerName}': ${other} and ${type.name}. Give each its own static handlerName.`,
    );
  }
  explicit.register(type.handlerName, type);
}
