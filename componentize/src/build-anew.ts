/** From a package's sources to the three files of its component. */

import { relative } from 'node:path';
import type { Bundle } from './bundle.js';
import { componentize, EngineError } from './engine.js';
import { type Examined, examine, type Observers } from './examine.js';
import { CHANGED, changedSince, inputHash } from './input-hash.js';
import type { HandlerDescriptor, Manifest } from './manifest.js';
import { type OutputPaths, sha256, writeOutput } from './output.js';
import type { PackageConfig } from './package-config.js';
import { withProgress } from './progress.js';
import type { Part } from './size.js';
import { listSources } from './sources.js';
import type { Toolchain } from './toolchain.js';

export async function buildAnew(
  config: PackageConfig,
  toolchain: Toolchain,
  paths: OutputPaths,
  observers: Observers,
  signal?: AbortSignal,
): Promise<{ manifest: Manifest; bytes: number; parts: readonly Part[] }> {
  const { directory, name } = config;
  const started = Date.now();
  const present = listSources(config);
  const { examined, made } = await examine(config, toolchain, observers, (examined, wrong) =>
    withProgress(observers.report, `${name}: making the component`, () =>
      make(config, examined, toolchain, AbortSignal.any([wrong, ...(signal ? [signal] : [])])),
    ),
  );
  signal?.throwIfAborted();
  const { namespace, world, found } = examined;
  const files = [...observers.reads].sort();
  const manifest: Manifest = {
    manifest_version: 1,
    name,
    namespace,
    component: `${name}.wasm`,
    component_sha256: sha256(made.component),
    source_map: `${name}.wasm.map`,
    initialization: made.initialization,
    // What changed meanwhile may be in the component or not: the next build finds out.
    input_hash: changedSince(started, files) ? CHANGED : inputHash(directory, present, files, toolchain),
    sdk: { name: toolchain.sdk.name, version: toolchain.sdk.version },
    engine: { name: toolchain.engine.name, componentize_js: toolchain.engine.componentizeJs },
    world,
    handlers: found.handlers.map((handler) => summary(handler, config)),
    publishers: [...found.publishers],
    subscriptions: [...found.subscriptions],
    settings: config.settings,
    ...(config.limits && { limits: config.limits }),
    ...(config.grants && { grants: config.grants }),
  };
  const recorded = files.map((file) => relative(directory, file));
  await writeOutput(paths, made.component, made.bundle.map, manifest, recorded);
  return { manifest, bytes: made.component.length, parts: made.bundle.parts };
}

interface Made {
  component: Buffer;
  bundle: Bundle;
  initialization: Manifest['initialization'];
}

/** What looked pure may still be too much for the engine: then its modules are initialised in the call. */
async function make(
  { initialization: wanted }: PackageConfig,
  { bundle, lazyBundle, initialization, world, imports }: Examined,
  toolchain: Toolchain,
  signal: AbortSignal,
): Promise<Made> {
  try {
    return { component: await componentize(bundle, world, toolchain, { imports, signal }), bundle, initialization };
  } catch (error) {
    if (initialization.mode === 'lazy' || wanted === 'snapshot' || !(error instanceof EngineError)) {
      throw error;
    }
    const lazy = await lazyBundle();
    return {
      component: await componentize(lazy, world, toolchain, { imports, signal }),
      bundle: lazy,
      initialization: {
        mode: 'lazy',
        reason: `the engine could not initialise it while building: ${error.details.at(-1)}`,
      },
    };
  }
}

function summary(
  { name, version, capabilities, methods }: HandlerDescriptor,
  { handlerLimits }: PackageConfig,
): Manifest['handlers'][number] {
  const limits = handlerLimits.find(({ callable }) => callable === name)?.limits ?? {};
  return { name, version, capabilities, methods, ...(Object.keys(limits).length > 0 && { limits }) };
}
