import type { StepHandler, StepHandlerClass } from '../handler/step-handler.js';
import type { BaseResolver } from './base-resolver.js';
import { construct, isHandlerClass, orNone } from './construct.js';
import type { HandlerDefinition } from './handler-definition.js';

/** Exports of the modules a component carries, by the path a template names them with. */
export type ModuleTable = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Relative paths and scoped packages; never absolute paths. */
const MODULE_PATH = /^(\.\.?\/|@[\w-]+\/)/;

let modules: ModuleTable = {};

/** Says which modules can be looked up. The build writes this table: a component cannot import at run time. */
export function setModuleTable(table: ModuleTable): void {
  modules = table;
}

/** Resolves callables that are module paths, to the module's first handler class. Asked last. */
export class ClassLookupResolver implements BaseResolver {
  readonly name = 'class_lookup';
  readonly priority = 100;

  canResolve(definition: HandlerDefinition): boolean {
    return MODULE_PATH.test(definition.callable);
  }

  async resolve(definition: HandlerDefinition): Promise<StepHandler | null> {
    return orNone('ClassLookupResolver', () => this.resolveSync(definition));
  }

  resolveSync(definition: HandlerDefinition): StepHandler | null {
    const type = this.canResolve(definition) ? this.entry(definition.callable) : undefined;
    return type === undefined ? null : construct(type);
  }

  /** The class that a path leads to: the module's default export, else the first that is one. */
  entry(callable: string): StepHandlerClass | undefined {
    const exports = Object.hasOwn(modules, callable) ? modules[callable] : undefined;
    return exports && [exports.default, ...Object.values(exports)].find(isHandlerClass);
  }
}
