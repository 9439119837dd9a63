/** Holds a package's template against the handlers and publishers it turned out to have. */

import { BuildError } from './build-error.js';
import type { Contents } from './entry.js';
import type { Sources } from './sources.js';
import type { Template } from './template.js';

/** The publisher that every worker has: it passes on what the handler returned. */
const DEFAULT_PUBLISHER = 'default';

export function checkTemplate(template: Template, contents: Contents, sources: Sources): void {
  checkCallables(template, contents, sources);
  checkPublishers(template, contents);
}

function checkCallables(
  { callables }: Template,
  { handlers, publishers, subscriptions }: Contents,
  sources: Sources,
): void {
  const names = handlers.map((handler) => handler.name);
  const carried = [handlers, publishers, subscriptions, Object.keys(sources.table)];
  if (carried.every(({ length }) => length === 0)) {
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

function checkPublishers(template: Template, { publishers }: Contents): void {
  const names = publishers.map(({ name }) => name);
  const findings = template.publishers
    .filter(({ publisher }) => publisher !== DEFAULT_PUBLISHER && !names.includes(publisher))
    .map(
      ({ publisher, step, event, location }) =>
        `${location}: step '${step}' publishes '${event}' by '${publisher}', which no publisher is called`,
    );
  if (findings.length > 0) {
    throw new BuildError('template.yaml names publishers the package does not have', [
      ...findings,
      names.length > 0
        ? `the package has: ${names.join(', ')}`
        : 'the package has none; expected: an exported class with a publisherName, extending BasePublisher',
    ]);
  }
}
