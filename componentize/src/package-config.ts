/** What a handler package says about itself: `tasker.toml`, `package.json`, `template.yaml`. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { BuildError } from './build-error.js';

export type Initialization = 'snapshot' | 'lazy';

export interface PackageConfig {
  /** Absolute. */
  directory: string;
  name: string;
  namespace: string;
  settings: Record<string, unknown>;
  /** Null when the build is to find out. */
  initialization: Initialization | null;
}

/** What a queue name may hold, and short enough for one: `worker_{namespace}_queue` has 47 characters at most. */
const NAMESPACE = /^[A-Za-z0-9_]{1,34}$/;
/** A file name on every system. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

const KNOWN_KEYS = ['name', 'namespace', 'settings', 'build'];

export function readPackageConfig(directory: string): PackageConfig {
  const file = join(directory, 'tasker.toml');
  if (!existsSync(file)) {
    throw new BuildError(`${directory} has no tasker.toml: it names the component`, [
      'expected at least:',
      'name = "payments"',
      'namespace = "payments_workflow"',
    ]);
  }
  if (!existsSync(join(directory, 'package.json'))) {
    throw new BuildError(`${directory} has no package.json: \`npm init\` writes one`);
  }
  const source = readFileSync(file, 'utf8');
  const config = parse(source);
  const findings: string[] = [];
  const at = (key: string) => `tasker.toml:${lineOf(source, key)}`;

  for (const key of Object.keys(config)) {
    if (!KNOWN_KEYS.includes(key)) {
      findings.push(`${at(key)}: unknown key '${key}'; known are ${KNOWN_KEYS.join(', ')}`);
    }
  }
  const { name, namespace, settings = {}, build = {} } = config;
  if (typeof name !== 'string' || !NAME.test(name)) {
    findings.push(`${at('name')}: name must be lower-case letters, digits, '-' and '_', not ${show(name)}`);
  }
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
    findings.push(
      `${at('namespace')}: namespace must be 1 to 34 letters, digits and '_' (it becomes part of a queue name), not ${show(namespace)}`,
    );
  }
  if (!isTable(settings)) {
    findings.push(`${at('settings')}: settings must be a table: [settings]`);
  }
  const initialization = isTable(build) ? build.initialization : undefined;
  if (!isTable(build)) {
    findings.push(`${at('build')}: build must be a table: [build]`);
  } else {
    for (const key of Object.keys(build)) {
      if (key !== 'initialization') {
        findings.push(`${at(key)}: unknown key 'build.${key}'; known is initialization`);
      }
    }
    if (initialization !== undefined && initialization !== 'snapshot' && initialization !== 'lazy') {
      findings.push(
        `${at('initialization')}: build.initialization must be "snapshot" or "lazy", not ${show(initialization)}`,
      );
    }
  }
  if (findings.length > 0) {
    throw new BuildError(`tasker.toml is not valid`, findings);
  }
  return {
    directory,
    name: name as string,
    namespace: namespace as string,
    settings: settings as Record<string, unknown>,
    initialization: (initialization as Initialization | undefined) ?? null,
  };
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

/** The line a key or table stands on; the first where there is none. */
function lineOf(source: string, key: string): number {
  const lines = source.split('\n');
  const index = lines.findIndex((line) => {
    const start = line.trim();
    return start.startsWith(`[${key}`) || start.split(/[\s=]/, 1)[0] === key;
  });
  return Math.max(index, 0) + 1;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
