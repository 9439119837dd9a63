/** What a handler package says about itself in `tasker.toml`, which it need not have. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { BuildError } from './build-error.js';
import { type Asks, readGrants } from './grants.js';
import { type HandlerLimits, type Limits, readHandlerLimits, readLimits } from './limits.js';
import { defaultName, type NamedPackage, namedPackage } from './named-package.js';
import { Findings, isTable, show } from './toml-lines.js';

export type Initialization = 'snapshot' | 'lazy';

export interface PackageConfig extends NamedPackage {
  name: string;
  /** Null when the template is to say. */
  namespace: string | null;
  settings: Record<string, unknown>;
  /** Null when the build is to find out. */
  initialization: Initialization | null;
  /** For every handler; null where nothing is limited. */
  limits: Limits | null;
  /** For single handlers, which may turn out not to exist. */
  handlerLimits: HandlerLimits[];
  /** Null where nothing is asked. */
  grants: Asks | null;
}

/** What a queue name may hold, and short enough for one: `worker_{namespace}_queue` has 47 characters at most. */
const NAMESPACE = /^[A-Za-z0-9_]{1,34}$/;
export const NAMESPACE_RULE = "must be 1 to 34 letters, digits and '_' (it becomes part of a queue name)";
/** A file name on every system. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

export function isNamespace(value: unknown): boolean {
  return typeof value === 'string' && NAMESPACE.test(value);
}

const KNOWN_KEYS = ['name', 'namespace', 'settings', 'build', 'limits', 'handlers', 'grants'];

/** @param path as on the command line: a directory or one module */
export function readPackageConfig(path: string): PackageConfig {
  const named = namedPackage(path);
  const file = join(named.directory, 'tasker.toml');
  const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const config = parse(source);
  const findings = new Findings('tasker.toml', source);
  for (const key of Object.keys(config)) {
    if (!KNOWN_KEYS.includes(key)) {
      findings.add([key], `unknown key '${key}'; known are ${KNOWN_KEYS.join(', ')}`);
    }
  }
  const { name = defaultName(named), namespace = null, settings = {} } = config;
  if (typeof name !== 'string' || !NAME.test(name)) {
    findings.add(['name'], `name must be 1 to 64 lower-case letters, digits, '-' and '_', not ${show(name)}`);
  }
  if (namespace !== null && !isNamespace(namespace)) {
    findings.add(['namespace'], `namespace ${NAMESPACE_RULE}, not ${show(namespace)}`);
  }
  if (!isTable(settings)) {
    findings.add(['settings'], 'settings must be a table: [settings]');
  }
  const read = {
    initialization: readInitialization(config.build, findings),
    limits: readLimits(config.limits, ['limits'], findings),
    handlerLimits: readHandlerLimits(config.handlers, findings),
    grants: readGrants(config.grants, findings),
  };
  if (findings.found.length > 0) {
    throw new BuildError(`tasker.toml is not valid`, findings.found);
  }
  return {
    ...named,
    name: name as string,
    namespace: namespace as string | null,
    settings: settings as Record<string, unknown>,
    ...read,
  };
}

function readInitialization(build: unknown, findings: Findings): Initialization | null {
  if (build === undefined) {
    return null;
  }
  if (!isTable(build)) {
    findings.add(['build'], 'build must be a table: [build]');
    return null;
  }
  for (const key of Object.keys(build)) {
    if (key !== 'initialization') {
      findings.add(['build', key], `unknown key 'build.${key}'; known is initialization`);
    }
  }
  const { initialization } = build;
  if (initialization === 'snapshot' || initialization === 'lazy') {
    return initialization;
  }
  if (initialization !== undefined) {
    findings.add(
      ['build', 'initialization'],
      `build.initialization must be "snapshot" or "lazy", not ${show(initialization)}`,
    );
  }
  return null;
}

function parse(source: string): Record<string, unknown> {
  try {
    return parseToml(source);
  } catch (error) {
    if (error instanceof TomlError) {
      const [reason = 'syntax error'] = error.message.split('\n');
      throw new BuildError('tasker.toml is not valid TOML', [`tasker.toml:${error.line}:${error.column}: ${reason}`]);
    }
    throw error;
  }
}
