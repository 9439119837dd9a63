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
import type { Part } from './size.js';
import { listSources } from './sources.js';
import { findToolchain } from './toolchain.js';

/** A component, and what it was made of. */
export interface BuildResult {
  name: string;
  /** False when the component was up to date. */
  built: boolean;
  /** Absolute path. */
  component: string;
  bytes: number;
  /** What the code in it is made of; empty when it was up to date. */
  parts: readonly Part[];
  initialization: Manifest['initialization'];
  manifest: Manifest;
}

/** How a build is ended and watched. */
export interface BuildOptions {
  /** Ends the build. */
  signal?: AbortSignal;
  /** Filled with the absolute paths of the files that are read, even when the build fails. */
  reads?: Set<string>;
}

/**
 * @param path of a package's directory, or of one module
 * @throws BuildError for whatever the package's author can mend
 */
export async function build(path: string, report: Report, options: BuildOptions = {}): Promise<BuildResult> {
  const { signal, reads = new Set() } = options;
  const config = readPackageConfig(path);
  const { directory, name } = config;
  const toolchain = findToolchain();
  const paths = outputPaths(directory, name);
  const result = (manifest: Manifest, bytes: number, parts: readonly Part[] | null): BuildResult => ({
    name,
    built: parts !== null,
    component: paths.component,
    bytes,
    parts: parts ?? [],
    initialization: manifest.initialization,
    manifest,
  });

  const upToDate = (): BuildResult | null => {
    const last = lastBuild(paths);
    if (last === null) {
      return null;
    }
    const files = last.record.files.map((file) => resolve(directory, file));
    if (inputHash(directory, listSources(config), files, toolchain) !== last.record.input_hash) {
      return null;
    }
    for (const file of files) {
      reads.add(file);
    }
    return result(last.manifest, last.record.component_bytes, null);
  };
  const anew = async (): Promise<BuildResult> => {
    const { buildAnew } = await import('./build-anew.js');
    const { manifest, bytes, parts } = await buildAnew(config, toolchain, paths, { report, reads }, signal);
    return result(manifest, bytes, parts);
  };
  const onWait = (pid: string) => report(`${name}: waiting for the build of process ${pid}`);
  return upToDate() ?? (await locked(paths, onWait, async () => upToDate() ?? (await anew()), signal));
}
