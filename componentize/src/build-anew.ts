/** From a package's sources to the three files of its component. */

import { relative } from 'node:path';
import { askedImports, asksEnvironment, importedNames } from './asked-imports.js';
import { BuildError } from './build-error.js';
import { type Bundle, bundle } from './bundle.js';
import { checkHandlerLimits } from './check-handlers.js';
import { checkTemplate } from './check-template.js';
import { componentize, EngineError } from './engine.js';
import { lazyEntry, packageModule, snapshotEntry } from './entry.js';
import { inputHash } from './input-hash.js';
import type { HandlerDescriptor, Manifest } from './manifest.js';
import { type OutputPaths, sha256, writeOutput } from './output.js';
import type { Initialization, PackageConfig } from './package-config.js';
import { type ProbeResult, probe } from './probe.js';
import { type Report, withProgress } from './progress.js';
import { findSources, listSources } from './sources.js';
import { readTemplate } from './template.js';
import type { Toolchain } from './toolchain.js';
import { typeCheck } from './type-check.js';

type Mode = Manifest['initialization'];

export async function buildAnew(
  config: PackageConfig,
  toolchain: Toolchain,
  paths: OutputPaths,
  report: Report,
): Promise<{ manifest: Manifest; bytes: number }> {
  const { directory, name } = config;
  const template = readTemplate(directory);
  const sources = findSources(directory, template.callables);
  const modules = [...sources.discover, ...Object.values(sources.table)].filter((module) => module.startsWith('.'));
  const imports = askedImports(config.grants);
  const asks = {
    environment: config.grants !== null && asksEnvironment(config.grants),
    mounts: config.grants !== null && config.grants.mounts.length > 0,
  };
  const checked = typeCheck(directory, modules, asks.environment, toolchain);

  const bundleFrom = (entry: string): Promise<Bundle> =>
    bundle({ directory, name, entry, packageModule: packageModule(sources), toolchain, asks });
  const full = await bundleFrom(snapshotEntry('full-handler'));
  for (const warning of [...checked.warnings, ...full.warnings]) {
    report(`${name}: ${warning}`);
  }
  const found = await withProgress(report, `${name}: loading its modules`, () =>
    probe(full, importedNames(imports, toolchain.wit)),
  );
  checkTemplate(template, found, sources);
  checkHandlerLimits(config, found.handlers);
  const world = found.publishers.length + found.subscriptions.length > 0 ? 'full-handler' : 'handler';
  // A package without publishers and subscribers carries nothing of theirs.
  const eager = world === 'full-handler' ? full : await bundleFrom(snapshotEntry(world));

  const files = [...new Set([...checked.files, ...eager.inputs])].sort();
  const hash = inputHash(directory, listSources(directory), files, toolchain);
  const built = await withProgress(report, `${name}: making the component`, () =>
    componentizeInMode(
      config.initialization,
      found,
      eager,
      () => bundleFrom(lazyEntry(world, found)),
      (made) => componentize(made, world, toolchain, imports),
    ),
  );
  const manifest: Manifest = {
    manifest_version: 1,
    name,
    namespace: config.namespace,
    component: `${name}.wasm`,
    component_sha256: sha256(built.component),
    source_map: `${name}.wasm.map`,
    initialization: built.mode,
    input_hash: hash,
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
  await writeOutput(paths, built.component, built.bundle.map, manifest, recorded);
  return { manifest, bytes: built.component.length };
}

interface Built {
  component: Buffer;
  bundle: Bundle;
  mode: Mode;
}

async function componentizeInMode(
  wanted: Initialization | null,
  { impurities }: ProbeResult,
  eager: Bundle,
  lazyBundle: () => Promise<Bundle>,
  make: (bundle: Bundle) => Promise<Buffer>,
): Promise<Built> {
  const lazily = async (reason: string): Promise<Built> => {
    const lazy = await lazyBundle();
    return { component: await make(lazy), bundle: lazy, mode: { mode: 'lazy', reason } };
  };
  if (wanted === 'lazy') {
    return lazily('tasker.toml says so');
  }
  if (impurities.length > 0) {
    if (wanted === 'snapshot') {
      throw new BuildError('tasker.toml insists on initialization = "snapshot", but the module top level is not pure', [
        ...impurities,
        'move these into the handlers, or leave the setting out',
      ]);
    }
    return lazily(`the module top level uses ${impurities.join(', ')}`);
  }
  try {
    const reason = 'the module top level is pure';
    return {
      component: await make(eager),
      bundle: eager,
      mode: { mode: 'snapshot', reason },
    };
  } catch (error) {
    if (wanted === 'snapshot' || !(error instanceof EngineError)) {
      throw error;
    }
    return lazily(`the engine could not initialise it while building: ${error.details.at(-1)}`);
  }
}

function summary(
  { name, version, capabilities, methods }: HandlerDescriptor,
  { handlerLimits }: PackageConfig,
): Manifest['handlers'][number] {
  const limits = handlerLimits.find(({ callable }) => callable === name)?.limits ?? {};
  return { name, version, capabilities, methods, ...(Object.keys(limits).length > 0 && { limits }) };
}
