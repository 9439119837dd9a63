/** Holds a package's template against the handlers and publishers it turned out to have. */

import { BuildError } from './build-error.js';
import type { Contents } from './entry.js';
import { isNamespace, NAMESPACE_RULE } from './package-config.js';
import type { Sources } from './sources.js';
import type { Template } from './template.js';

/** Where neither tasker.toml nor the template names one: the host's own default. */
const DEFAULT_NAMESPACE = 'default';

/** The publisher that every worker has: it passes on what the handler returned. */
const DEFAULT_PUBLISHER = 'default';

/**
 * The namespace of a package: what tasker.toml says, else what its template says.
 *
 * @throws BuildError when they contradict each other: the template's steps would never reach the handlers
 */
export function namespaceOf(configured: string | null, { namespace }: Template): string {
  if (namespace !== null && !isNamespace(namespace.name)) {
    throw new BuildError('template.yaml is not valid', [
      `${namespace.location}: namespace_name ${NAMESPACE_RULE}, not '${namespace.name}'`,
    ]);
  }
  if (namespace !== null && configured !== null && configured !== namespace.name) {
    throw new BuildError('template.yaml and tasker.toml name different namespaces', [
      `${namespace.location}: namespace_name is '${namespace.name}'`,
      `tasker.toml: namespace is '${configured}'; it may be left out, then the template's counts`,
    ]);
  }
  return configured ?? namespace?.name ?? DEFAULT_NAMESPACE;
}

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
  const carried = [handlers, publishers, subscriptions];
  if (carried.every(({ length }) => length === 0)) {
    throw new BuildError('the package has no handlers', [
      `searched: ${sources.discover.join(', ')}`,
      'expected: an exported class with `static handlerName`, extending StepHandler',
    ]);
  }
  const findings = callables.flatMap((wanted) => {
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
