/** `tasker-componentize check`: everything a build finds out, without making the component or writing anything. */

import { type Examined, examine } from './examine.js';
import { readPackageConfig } from './package-config.js';
import type { Report } from './progress.js';
import type { Part } from './size.js';
import { findToolchain } from './toolchain.js';

/** What is in a package. */
export interface CheckResult extends Pick<Examined, 'namespace' | 'initialization'> {
  name: string;
  /** What the bundle is made of. */
  parts: readonly Part[];
  handlers: Examined['found']['handlers'];
  publishers: Examined['found']['publishers'];
  subscriptions: Examined['found']['subscriptions'];
}

/**
 * @param path of a package's directory, or of one module
 * @throws BuildError for whatever the package's author can mend
 */
export async function check(path: string, report: Report): Promise<CheckResult> {
  const config = readPackageConfig(path);
  const observers = { report, reads: new Set<string>() };
  const { examined } = await examine(config, findToolchain(), observers, async () => {});
  const { namespace, initialization, found, bundle } = examined;
  const { handlers, publishers, subscriptions } = found;
  return { name: config.name, namespace, initialization, parts: bundle.parts, handlers, publishers, subscriptions };
}
