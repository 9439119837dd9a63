/**
 * What a package asks its handlers to be limited to: `[limits]` for all of them, `[handlers."<callable>".limits]` for
 * one. The operator's ceilings hold whatever stands here.
 */

import { type Findings, isTable, type KeyPath, show } from './toml-lines.js';

const TIB = 2 ** 40;

/** Names, least and greatest values, by the host's own table (host/src/config/limits.rs). */
const BOUNDS = {
  fuel: [1, Number.MAX_SAFE_INTEGER],
  memory_mb: [1, 4096],
  timeout_ms: [1, 7 * 24 * 60 * 60 * 1000],
  result_bytes: [2, 256 * 2 ** 20],
  log_lines: [0, 1_000_000],
  log_bytes: [0, 2 ** 30],
  http_requests: [0, 1_000_000],
  http_concurrent: [1, 1_000],
  http_request_bytes: [0, TIB],
  http_response_bytes: [0, TIB],
  fs_write_bytes: [0, TIB],
  checkpoint_bytes: [2, 256 * 2 ** 20],
  client_calls: [0, 1_000_000],
  events: [0, 1_000_000],
} as const satisfies Record<string, readonly [least: number, greatest: number]>;

export type LimitName = keyof typeof BOUNDS;
export type Limits = Partial<Record<LimitName, number>>;

/** Limits of one handler. */
export interface HandlerLimits {
  callable: string;
  limits: Limits;
  /** `tasker.toml:12` */
  location: string;
}

/** Null where nothing is limited. */
export function readLimits(value: unknown, path: KeyPath, findings: Findings): Limits | null {
  if (value === undefined) {
    return null;
  }
  if (!isTable(value)) {
    findings.add(path, `${path.at(-1)} must be a table of limits, such as fuel = 2_000_000_000`);
    return null;
  }
  const limits: Limits = {};
  for (const [name, limit] of Object.entries(value)) {
    if (!Object.hasOwn(BOUNDS, name)) {
      findings.add([...path, name], `unknown limit '${name}'; known are ${Object.keys(BOUNDS).join(', ')}`);
      continue;
    }
    const [least, greatest] = BOUNDS[name as LimitName];
    if (!Number.isSafeInteger(limit) || (limit as number) < least || (limit as number) > greatest) {
      findings.add([...path, name], `${name} must be a whole number from ${least} to ${greatest}, not ${show(limit)}`);
      continue;
    }
    limits[name as LimitName] = limit as number;
  }
  return Object.keys(limits).length > 0 ? limits : null;
}

/** `[handlers."<callable>".limits]`, by callable. */
export function readHandlerLimits(value: unknown, findings: Findings): HandlerLimits[] {
  if (value === undefined) {
    return [];
  }
  if (!isTable(value)) {
    findings.add(['handlers'], 'handlers must be tables by callable: [handlers."orders.Import".limits]');
    return [];
  }
  return Object.entries(value).flatMap(([callable, settings]) => {
    const path = ['handlers', callable];
    if (!isTable(settings)) {
      findings.add(path, `handlers."${callable}" must be a table: [handlers."${callable}".limits]`);
      return [];
    }
    for (const key of Object.keys(settings)) {
      if (key !== 'limits') {
        findings.add(
          [...path, key],
          `unknown key 'handlers."${callable}".${key}'; known is limits (a callable with dots is written in quotes)`,
        );
      }
    }
    const limits = readLimits(settings.limits, [...path, 'limits'], findings);
    return [{ callable, limits: limits ?? {}, location: findings.place(path) }];
  });
}
