/** What the commands print about a package that is sound. */

import { relative } from 'node:path';
import type { BuildResult } from './build.js';
import type { CheckResult } from './check.js';
import type { HandlerDescriptor } from './manifest.js';
import type { Part } from './size.js';

/** `1.3 s`, since a moment of `performance.now()`. */
export function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

export function built({ name, built, component, bytes, parts, manifest }: BuildResult, time: string): string {
  if (!built) {
    return `${name}: up to date (${time})`;
  }
  return [
    `${name}: built ${relative('', component)} in ${time}`,
    ...rows({ ...manifest, parts }),
    row('component', megabytes(bytes)),
  ].join('\n');
}

export function checked(result: CheckResult, time: string): string {
  return [`${result.name}: no errors (${time})`, ...rows(result)].join('\n');
}

interface Described extends Pick<CheckResult, 'namespace' | 'initialization' | 'publishers' | 'subscriptions'> {
  handlers: ReadonlyArray<Pick<HandlerDescriptor, 'name' | 'methods'>>;
  parts: readonly Part[];
}

/** Shares of a bundle that are named; of many packages, the small ones are told as one. */
const MAX_PARTS = 8;

function rows({ namespace, handlers, publishers, subscriptions, initialization, parts }: Described): string[] {
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const shares = merged(parts).map(({ name, bytes }) => `${name} ${kilobytes(bytes)} (${percent(bytes / total)})`);
  return [
    row('namespace', namespace),
    row('handlers', handlers.map(handlerText).join(', ') || 'none'),
    ...(publishers.length > 0 ? [row('publishers', publishers.map(({ name }) => name).join(', '))] : []),
    ...(subscriptions.length > 0 ? [row('subscribers', subscriptions.map(subscriptionText).join(', '))] : []),
    row('initialization', `${initialization.mode}: ${initialization.reason}`),
    row('bundle', `${kilobytes(total)}: ${shares.join(', ')}`),
  ];
}

function merged(parts: readonly Part[]): readonly Part[] {
  if (parts.length <= MAX_PARTS) {
    return parts;
  }
  const others = parts.slice(MAX_PARTS - 1);
  const bytes = others.reduce((sum, part) => sum + part.bytes, 0);
  return [...parts.slice(0, MAX_PARTS - 1), { name: `${others.length} others`, bytes }];
}

function handlerText({ name, methods }: Pick<HandlerDescriptor, 'name' | 'methods'>): string {
  return methods.length > 1 ? `${name} (${methods.join(', ')})` : name;
}

function subscriptionText({ subscriber, patterns }: CheckResult['subscriptions'][number]): string {
  return `${subscriber} (${patterns.join(', ')})`;
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(16)}${text}`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
