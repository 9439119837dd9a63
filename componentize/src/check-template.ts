/** Holds a package's template against the handlers it turned out to have. */

import { BuildError } from './build-error.js';
import type { HandlerDescriptor } from './manifest.js';
import type { Sources } from './sources.js';
import type { TemplateCallable } from './template.js';

export function checkTemplate(
  callables: readonly TemplateCallable[],
  handlers: readonly HandlerDescriptor[],
  sources: Sources,
): void {
  const names = handlers.map((handler) => handler.name);
  if (names.length === 0 && Object.keys(sources.table).length === 0) {
    throw new BuildError('the package has no handlers', [
      `searched: ${sources.discover.join(', ')}`,
      'expected: an exported class with `static handlerName`, extending StepHandler',
    ]);
  }
  const findings = callables.flatMap((wanted) => {
    // A resolver of the package's own may know callables nobody can list.
    if (wanted.resolver !== null || Object.hasOwn(sources.table, wanted.callable)) {
      return [];
    }
    const handler = handlers.find(({ name }) => name === wanted.callable);
    if (handler === undefined) {
      return [`${wanted.location}: step '${wanted.step}' names '${wanted.callable}', which no handler is called`];
    }
    return wanted.method === null || handler.methods.includes(wanted.method)
      ? []
      : [
          `${wanted.location}: step '${wanted.step}' names the method '${wanted.method}'; ${wanted.callable} has ${handler.methods.join(', ')}`,
        ];
  });
  if (findings.length > 0) {
    throw new BuildError('template.yaml names handlers the package does not have', [
      ...findings,
      `the package has: ${names.join(', ')}`,
    ]);
  }
}
