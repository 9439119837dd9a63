/**
 * Everything about a package that can be known without making its component. All that is wrong is told at once: the
 * modules are bundled and loaded, and their types are checked, whichever of the two fails.
 */

import { askedImports, asksEnvironment, grantedModules, importedNames } from './asked-imports.js';
import { BuildError } from './build-error.js';
import { type Bundle, bundle } from './bundle.js';
import { checkHandlerLimits } from './check-handlers.js';
import { checkTemplate, namespaceOf } from './check-template.js';
import { lazyEntry, packageModule, snapshotEntry } from './entry.js';
import { together } from './findings.js';
import type { Manifest } from './manifest.js';
import type { PackageConfig } from './package-config.js';
import type { PlatformAsks } from './platform.js';
import { type ProbeResult, probe } from './probe.js';
import { type Report, withProgress } from './progress.js';
import { everySource, findSources, type Sources } from './sources.js';
import { readTemplate, type Template } from './template.js';
import type { Toolchain, World } from './toolchain.js';

export interface Examined {
  namespace: string;
  world: World;
  /** Specifiers of the interfaces the package asks for. */
  imports: string[];
  found: ProbeResult;
  initialization: Manifest['initialization'];
  /** For that initialization. */
  bundle: Bundle;
  /** For the lazy one. */
  lazyBundle(): Promise<Bundle>;
}

export interface Observers {
  report: Report;
  /** Absolute paths of the files that are read, for whoever watches them; complete even when this fails. */
  reads: Set<string>;
}

/**
 * @param meanwhile goes on with what loaded while types are checked, until its signal says that they are wrong
 * @throws BuildError for whatever the package's author can mend
 */
export async function examine<T>(
  config: PackageConfig,
  toolchain: Toolchain,
  { report, reads }: Observers,
  meanwhile: (examined: Examined, signal: AbortSignal) => Promise<T>,
): Promise<{ examined: Examined; made: T }> {
  const template = readTemplate(config.directory);
  const namespace = namespaceOf(config.namespace, template);
  const read = (files: readonly string[]) => {
    for (const file of files) {
      reads.add(file);
    }
  };
  const sources = findSources(config, template.callables);
  const loading = await settled(load({ config, template, namespace, sources, toolchain, report, read }));

  const wrong = new AbortController();
  const making = loading.ok ? settled(meanwhile(loading.value, wrong.signal)) : null;
  const types = await settled(typesOf(config, sources, toolchain, { report, read }));
  const failure = together(errorOf(loading), errorOf(types));
  if (failure !== null || !loading.ok || making === null) {
    wrong.abort(failure);
    await making;
    throw failure;
  }
  const made = await making;
  if (!made.ok) {
    throw made.error;
  }
  return { examined: loading.value, made: made.value };
}

interface Loading {
  config: PackageConfig;
  template: Template;
  namespace: string;
  sources: Sources;
  toolchain: Toolchain;
  report: Report;
  read(files: readonly string[]): void;
}

async function load(loading: Loading): Promise<Examined> {
  const { config, template, namespace, toolchain, report, read } = loading;
  const { directory, name } = config;
  const imports = askedImports(config.grants);
  const granted = grantedModules(config.grants);
  const bundleOf = async (sources: Sources, entry: string): Promise<Bundle> => {
    const made = await bundle({
      directory,
      name,
      entry,
      packageModule: packageModule(sources),
      toolchain,
      asks: platformAsks(config),
    });
    read(made.inputs);
    return made;
  };
  const loaded = async (sources: Sources) => {
    const full = await bundleOf(sources, snapshotEntry('full-handler', granted));
    for (const warning of full.warnings) {
      report(`${name}: ${warning}`);
    }
    const found = await withProgress(report, `${name}: loading its modules`, () =>
      probe(full, importedNames(imports, toolchain.wit)),
    );
    return { sources, full, found };
  };
  let { sources, full, found } = await loaded(loading.sources);
  const elsewhere = isEmpty(found, sources) ? everySource(config, sources) : null;
  if (elsewhere !== null) {
    ({ sources, full, found } = await loaded(elsewhere));
  }
  checkTemplate(template, found, sources);
  checkHandlerLimits(config, found.handlers);

  const world = found.publishers.length + found.subscriptions.length > 0 ? 'full-handler' : 'handler';
  const lazyBundle = () => bundleOf(sources, lazyEntry(world, granted, found));
  const initialization = initializationOf(config, found);
  // A package without publishers and subscribers carries nothing of theirs.
  const eager = () => (world === 'full-handler' ? full : bundleOf(sources, snapshotEntry(world, granted)));
  return {
    namespace,
    world,
    imports,
    found,
    initialization,
    bundle: await (initialization.mode === 'lazy' ? lazyBundle() : eager()),
    lazyBundle,
  };
}

/** Whether nothing was found but what the template named itself. */
function isEmpty({ handlers, publishers, subscriptions }: ProbeResult, { table, resolved }: Sources): boolean {
  const discovered = handlers.filter(({ name }) => !Object.hasOwn(table, name) && !Object.hasOwn(resolved, name));
  return discovered.length + publishers.length + subscriptions.length === 0;
}

function initializationOf({ initialization }: PackageConfig, { impurities }: ProbeResult): Manifest['initialization'] {
  if (initialization === 'lazy') {
    return { mode: 'lazy', reason: 'tasker.toml says so' };
  }
  if (impurities.length === 0) {
    return { mode: 'snapshot', reason: 'the module top level is pure' };
  }
  if (initialization === 'snapshot') {
    throw new BuildError('tasker.toml insists on initialization = "snapshot", but the module top level is not pure', [
      ...impurities,
      'move these into the handlers, or leave the setting out',
    ]);
  }
  return { mode: 'lazy', reason: `the module top level uses ${impurities.join(', ')}` };
}

/** The compiler takes half a second to load, which the engine need not wait for. */
async function typesOf(
  config: PackageConfig,
  { discover, table }: Sources,
  toolchain: Toolchain,
  { report, read }: Pick<Loading, 'report' | 'read'>,
): Promise<void> {
  const { typeCheck } = await import('./type-check.js');
  const modules = [...discover, ...Object.values(table)].filter((module) => module.startsWith('.'));
  const { environment } = platformAsks(config);
  const { files, warnings, error } = typeCheck(config.directory, modules, environment, toolchain);
  read(files);
  for (const warning of warnings) {
    report(`${config.name}: ${warning}`);
  }
  if (error !== null) {
    throw error;
  }
}

function platformAsks({ grants }: PackageConfig): PlatformAsks {
  return {
    environment: grants !== null && asksEnvironment(grants),
    mounts: grants !== null && grants.mounts.length > 0,
  };
}

type Settled<T> = { ok: true; value: T } | { ok: false; error: unknown };

async function settled<T>(work: Promise<T>): Promise<Settled<T>> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    return { ok: false, error };
  }
}

/** @throws what is a defect of this tool, not of the package */
function errorOf(settled: Settled<unknown>): BuildError | null {
  if (settled.ok) {
    return null;
  }
  if (settled.error instanceof BuildError) {
    return settled.error;
  }
  throw settled.error;
}
