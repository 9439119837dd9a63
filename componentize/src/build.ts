/**
 * `tasker-componentize build`: says at once that a component is up to date, or builds it anew. What answers the first
 * loads no compiler.
 */

import { resolve } from 'node:path';
import { inputHash } from './input-hash.js';
import type { Manifest } from './manifest.js';
import { lastBuild, locked, outputPaths } from './output.js';
import { readPackageConfig } from './package-config.js';
import type { Report } from './progress.js';
import { listSources } from './sources.js';
import { findToolchain } from './toolchain.js';

export interface BuildResult {
  name: string;
  /** False when the component was up to date. */
  built: boolean;
  /** Absolute path. */
  component: string;
  bytes: number;
  initialization: Manifest['initialization'];
}

/** @throws BuildError for whatever the package's author can mend */
export async function build(packageDirectory: string, report: Report): Promise<BuildResult> {
  const directory = resolve(packageDirectory);
  const config = readPackageConfig(directory);
  const toolchain = findToolchain();
  const paths = outputPaths(directory, config.name);

  const upToDate = (): BuildResult | null => {
    const last = lastBuild(paths);
    if (last === null) {
      return null;
    }
    const files = last.record.files.map((file) => resolve(directory, file));
    if (inputHash(directory, listSources(directory), files, toolchain) !== last.record.input_hash) {
      return null;
    }
    return {
      name: config.name,
      built: false,
      component: paths.component,
      bytes: last.record.component_bytes,
      initialization: last.manifest.initialization,
    };
  };
  const anew = async (): Promise<BuildResult> => {
    const { buildAnew } = await import('./build-anew.js');
    const { manifest, bytes } = await buildAnew(config, toolchain, paths, report);
    return {
      name: config.name,
      built: true,
      component: paths.component,
      bytes,
      initialization: manifest.initialization,
    };
  };
  const onWait = (pid: string) => report(`${config.name}: waiting for the build of process ${pid}`);
  return upToDate() ?? (await locked(paths, onWait, async () => upToDate() ?? (await anew())));
}
