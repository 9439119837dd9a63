/** Holds the handlers that tasker.toml sets limits for against those the package turned out to have. */

import { BuildError } from './build-error.js';
import type { HandlerDescriptor } from './manifest.js';
import type { PackageConfig } from './package-config.js';

export function checkHandlerLimits({ handlerLimits }: PackageConfig, handlers: readonly HandlerDescriptor[]): void {
  const names = handlers.map(({ name }) => name);
  const findings = handlerLimits
    .filter(({ callable }) => !names.includes(callable))
    .map(({ callable, location }) => `${location}: [handlers."${callable}"]: no handler is called so`);
  if (findings.length > 0) {
    throw new BuildError('tasker.toml limits handlers the package does not have', [
      ...findings,
      `the package has: ${names.join(', ')}`,
    ]);
  }
}
