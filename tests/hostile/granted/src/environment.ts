/** Handlers that look for more of the environment than they were granted. */

import { getArguments, getEnvironment, initialCwd } from 'wasi:cli/environment@0.2.12';
import { granted } from './handler.js';

/** Everything there is. */
export const ReadEnvironment = granted('read_environment', () => ({
  environment: Object.fromEntries(getEnvironment()),
  process: { ...process.env },
  arguments: getArguments(),
  cwd: initialCwd() ?? null,
}));

/** Variables every process has. */
export const ReadKnown = granted('read_known', () => ({
  found: ['PATH', 'HOME', 'USER', 'PWD', 'DATABASE_URL', 'RUST_LOG', 'AWS_SECRET_ACCESS_KEY', 'LD_PRELOAD'].filter(
    (name) => process.env[name] !== undefined,
  ),
}));

/** Changes its environment, for others to see. */
export const WriteEnvironment = granted('write_environment', () => {
  const found = process.env.LEFT_BEHIND ?? null;
  (process.env as Record<string, string>).LEFT_BEHIND = 'by the last call';
  return { found };
});
