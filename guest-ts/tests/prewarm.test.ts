/** What happens while a component is built: here the test stands in for the bindings the builder adapts. */

import { afterEach, expect, it, vi } from 'vitest';
import { installHostLog, openHostLog } from '../src/component/host-log.js';
import { prewarm } from '../src/component/prewarm.js';
import type { WitHandlers } from '../src/component/wit.js';
import { ResolverChain } from '../src/index.js';
import { hostLog } from './host/log.js';

type Call = [handle: WitHandlers['handle'], callable: string, event: string];

const builder = globalThis as { taskerWarmUp?: unknown };

afterEach(() => {
  delete builder.taskerWarmUp;
  ResolverChain.resetDefault();
});

function run([handle, callable, event]: Call) {
  return handle({ handler: { callable }, attempts: 0, maxAttempts: 1, timeBudgetMs: 1, event });
}

async function warmUp(): Promise<{ outcomes: string[]; last: Call }> {
  const outcomes: string[] = [];
  const last = vi.fn();
  builder.taskerWarmUp = {
    now: async (...call: Call) => {
      outcomes.push((await run(call)).tag);
    },
    last,
  };
  await prewarm();
  return { outcomes, last: last.mock.calls[0] as Call };
}

it('calls go through a success and a failure, and reach no handler but one of the SDK', async () => {
  expect((await warmUp()).outcomes).toEqual(['success', 'success', 'failure']);
  expect(ResolverChain.shared().getResolver('explicit_mapping')).toHaveProperty('name', 'explicit_mapping');
  expect(builder.taskerWarmUp).toBeUndefined();
});

it('the last call is suspended for good and logs nothing: what it left would happen in every instance', async () => {
  installHostLog();
  const settled = vi.fn();
  run((await warmUp()).last).then(settled, settled);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(settled).not.toHaveBeenCalled();
  openHostLog();
  expect(hostLog.records).toEqual([]);
});

it('a builder whose bindings cannot be called leaves the component cold', async () => {
  builder.taskerWarmUp = {
    now: () => {
      throw new Error('other bindings');
    },
    last: () => {},
  };
  await expect(prewarm()).resolves.toBeUndefined();
});
