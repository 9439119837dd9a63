/** Runs a built component in Node: jco turns it into modules, one copy of which is one instance. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transpile } from '@bytecodealliance/jco';
import { onTestFinished } from 'vitest';
import type {
  WitCheckpointYield,
  WitHandlers,
  WitPublishers,
  WitStepContext,
  WitStepOutcome,
  WitSubscribers,
} from '../../../guest-ts/src/component/wit.js';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));

const HOST = `
export const records = [];
export const enabled = () => true;
export const emit = (level, message, fields) => records.push([level, message, JSON.parse(fields)]);
export const remainingMs = () => 1000;
export const cancellationRequested = () => false;
export const checkpoints = [];
export const refusals = [];
export const saveCheckpoint = (progress) => {
  const refusal = refusals.shift();
  if (refusal !== undefined) throw refusal;
  checkpoints.push(progress);
};
export const get = () => undefined;
export const entries = () => [['greeting', '"hello"']];
export const getEnvironment = () => [['REGION', 'eu']];
export const getArguments = () => [];
export const initialCwd = () => undefined;
const answer = (name) => (...given) => JSON.stringify({ asked: name, given });
export const [submitTask, getTask, listTasks, cancelTask, listTaskSteps, getStep, getStepAuditHistory, healthCheck] = [
  'submitTask', 'getTask', 'listTasks', 'cancelTask', 'listTaskSteps', 'getStep', 'getStepAuditHistory', 'healthCheck',
].map(answer);
export const publish = () => '00000000-0000-0000-0000-000000000000';
`;

/** A step context as the host lowers it; a component of the SDK does not lift these three. */
type HostStepContext = WitStepContext & Record<'taskUuid' | 'stepUuid' | 'correlationId', string>;

export interface Instance {
  handlers: Omit<WitHandlers, 'handle'> & { handle(context: HostStepContext): Promise<WitStepOutcome> };
  /** Of a component of the world `full-handler`. */
  publishers: WitPublishers;
  subscribers: WitSubscribers;
  /** What the guest logged: level, message, fields. */
  records: Array<[string, string, Record<string, unknown>]>;
  /** What the guest saved while a call went on. */
  checkpoints: WitCheckpointYield[];
  /** Why the next checkpoints are not stored. */
  refusals: string[];
}

/** A function that makes a new instance of the component with each call. */
export async function instances(wasm: string): Promise<() => Promise<Instance>> {
  const cache = join(repository, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  // Inside the repository, so that the modules find jco's WASI.
  const root = mkdtempSync(join(cache, 'component-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  // jco's types say a record; it takes `from=to`.
  const map = [
    ...['log', 'execution', 'config', 'client', 'events'].map((name) => `tasker:handler/${name}@0.1.0=./host.js`),
    'wasi:cli/environment@0.2.12=./host.js',
  ] as never;
  const { files } = await transpile(readFileSync(wasm), {
    name: 'component',
    map,
  });
  let copies = 0;
  return async () => {
    copies += 1;
    const directory = join(root, String(copies));
    for (const [name, content] of Object.entries({ ...files, 'host.js': Buffer.from(HOST) })) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content as Uint8Array);
    }
    const load = (name: string) => import(pathToFileURL(join(directory, name)).href);
    const { handlers, publishers, subscribers } = await load('component.js');
    const { records, checkpoints, refusals } = await load('host.js');
    return { handlers, publishers, subscribers, records, checkpoints, refusals };
  };
}

/** The outcome of a call, or the dispatch error as the host gets it. */
export async function call(
  { handlers }: Instance,
  callable: string,
  context: Record<string, unknown> = {},
  method?: string,
  step: Record<string, unknown> = {},
): Promise<WitStepOutcome | { error: unknown }> {
  const uuid = '00000000-0000-0000-0000-000000000000';
  try {
    return await handlers.handle({
      taskUuid: uuid,
      stepUuid: uuid,
      correlationId: uuid,
      handler: { callable, method },
      attempts: 0,
      maxAttempts: 3,
      timeBudgetMs: 1000,
      event: JSON.stringify({ task: { context }, workflowStep: { attempts: 0, maxAttempts: 3, ...step } }),
    });
  } catch (error) {
    return { error: (error as { payload?: unknown }).payload ?? error };
  }
}
