/**
 * What a package asks to reach outside its sandbox: `[grants]`. A handler gets what is asked here and allowed by the
 * operator, and nothing that only one of them names.
 */

import { type Findings, isTable, type KeyPath, show } from './toml-lines.js';
import { urlPatternProblem } from './url-pattern.js';

export type Access = 'read-only' | 'read-write';

/** As the host reads it from the manifest. */
export interface Asks {
  /** No methods: every method. */
  http: Array<{ url: string; methods: string[] }>;
  mounts: Array<{ path: string; access: Access }>;
  env: string[];
  secrets: string[];
  client: boolean;
  events: boolean;
}

const KNOWN = ['http', 'mounts', 'env', 'secrets', 'client', 'events'];
const METHOD = /^[A-Z][A-Z-]*$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Null where nothing is asked. */
export function readGrants(value: unknown, findings: Findings): Asks | null {
  if (value === undefined) {
    return null;
  }
  if (!isTable(value)) {
    findings.add(['grants'], 'grants must be a table: [grants]');
    return null;
  }
  for (const key of Object.keys(value)) {
    if (!KNOWN.includes(key)) {
      findings.add(['grants', key], `unknown grant '${key}'; known are ${KNOWN.join(', ')}`);
    }
  }
  const asks: Asks = {
    http: readHttp(value.http, findings),
    mounts: readMounts(value.mounts, findings),
    env: readNames(value.env, ['grants', 'env'], findings),
    secrets: readNames(value.secrets, ['grants', 'secrets'], findings),
    client: readFlag(value.client, 'client', findings),
    events: readFlag(value.events, 'events', findings),
  };
  for (const name of asks.secrets) {
    if (asks.env.includes(name)) {
      findings.add(['grants', 'secrets'], `'${name}' is asked as env too: a secret is an environment variable`, name);
    }
  }
  const { http, mounts, env, secrets, client, events } = asks;
  return client || events || [http, mounts, env, secrets].some((list) => list.length > 0) ? asks : null;
}

function readHttp(value: unknown, findings: Findings): Asks['http'] {
  const path = ['grants', 'http'];
  const example = '{ url = "https://api.example.com/v1", methods = ["GET"] }';
  return tables(value, path, ['url', 'methods'], example, findings).flatMap(({ url, methods = [] }) => {
    if (typeof url !== 'string') {
      findings.add(path, `every entry of http needs a url, not ${show(url)}: ${example}`);
      return [];
    }
    const problem = urlPatternProblem(url);
    if (problem !== null) {
      findings.add(path, `${show(url)} is no URL pattern: ${problem}`, url);
      return [];
    }
    if (!Array.isArray(methods) || !methods.every((method) => typeof method === 'string' && METHOD.test(method))) {
      findings.add(path, `methods must be a list of methods in capitals, not ${show(methods)}`, url);
      return [];
    }
    return [{ url, methods: [...new Set(methods as string[])] }];
  });
}

function readMounts(value: unknown, findings: Findings): Asks['mounts'] {
  const path = ['grants', 'mounts'];
  const example = '{ path = "/data", access = "read-write" }';
  const mounts = tables(value, path, ['path', 'access'], example, findings).flatMap(
    ({ path: mount, access = 'read-only' }): Asks['mounts'] => {
      if (typeof mount !== 'string' || !isMountPath(mount)) {
        findings.add(path, `a mount's path must be absolute and plain, such as "/data", not ${show(mount)}`, mount);
        return [];
      }
      if (access !== 'read-only' && access !== 'read-write') {
        findings.add(path, `access must be "read-only" or "read-write", not ${show(access)}`, mount);
        return [];
      }
      return [{ path: mount, access }];
    },
  );
  const paths = mounts.map((mount) => mount.path);
  for (const twice of new Set(paths.filter((mount, index) => paths.indexOf(mount) !== index))) {
    findings.add(path, `${show(twice)} is asked twice`, twice);
  }
  return mounts;
}

function isMountPath(path: string): boolean {
  const [root, ...segments] = path.split('/');
  return root === '' && segments.length > 0 && segments.every((segment) => !['', '.', '..'].includes(segment));
}

function readNames(value: unknown, path: KeyPath, findings: Findings): string[] {
  if (value === undefined) {
    return [];
  }
  if (!Array.isArray(value)) {
    findings.add(path, `${path.at(-1)} must be a list of names, such as ["REGION"], not ${show(value)}`);
    return [];
  }
  return [...new Set(value)].filter((name): name is string => {
    const isName = typeof name === 'string' && VARIABLE.test(name);
    if (!isName) {
      findings.add(path, `the name of a variable has letters, digits and '_', not ${show(name)}`, name);
    }
    return isName;
  });
}

function readFlag(value: unknown, name: string, findings: Findings): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    findings.add(['grants', name], `${name} must be true or false, not ${show(value)}`);
  }
  return value === true;
}

/** The tables of a list, those with unknown keys left out. */
function tables(
  value: unknown,
  path: KeyPath,
  known: readonly string[],
  example: string,
  findings: Findings,
): Array<Record<string, unknown>> {
  if (value === undefined) {
    return [];
  }
  if (!Array.isArray(value)) {
    findings.add(path, `${path.at(-1)} must be a list: [${example}]`);
    return [];
  }
  return value.filter((entry) => {
    if (!isTable(entry)) {
      findings.add(path, `every entry of ${path.at(-1)} must be a table such as ${example}, not ${show(entry)}`, entry);
      return false;
    }
    const unknown = Object.keys(entry).filter((key) => !known.includes(key));
    if (unknown.length > 0) {
      findings.add(
        path,
        `unknown key '${unknown[0]}' in ${path.at(-1)}; known are ${known.join(', ')}`,
        entry[known[0] as string],
      );
    }
    return unknown.length === 0;
  });
}
