import { afterEach, describe, expect, it } from 'vitest';
import {
  type ClientRuntime,
  clearClientRuntime,
  getFfiLayer,
  getTaskerClient,
  setClientRuntime,
  TaskerClient,
  TaskerClientError,
} from '../src/index.js';

afterEach(clearClientRuntime);

const TASK = '0198a000-0000-7000-8000-000000000001';
const STEP = '0198a000-0000-7000-8000-000000000002';

/** Answers every call with this; the calls come back. */
function orchestration(answer: unknown = {}): unknown[][] {
  const calls: unknown[][] = [];
  const runtime = new Proxy({} as ClientRuntime, {
    get:
      (_, name) =>
      (...args: unknown[]) => {
        calls.push([name, ...args]);
        if (answer instanceof Error) {
          throw answer;
        }
        return JSON.stringify(answer);
      },
  });
  setClientRuntime(runtime);
  return calls;
}

function refusal(call: () => unknown): TaskerClientError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(TaskerClientError);
    return error as TaskerClientError;
  }
  throw new Error('the call was answered');
}

const CALLS: Array<[name: string, call: (client: TaskerClient) => unknown]> = [
  ['submitTask', (client) => client.createTask({ name: 'orders' })],
  ['getTask', (client) => client.getTask(TASK)],
  ['listTasks', (client) => client.listTasks()],
  ['cancelTask', (client) => client.cancelTask(TASK)],
  ['listTaskSteps', (client) => client.listTaskSteps(TASK)],
  ['getStep', (client) => client.getStep(TASK, STEP)],
  ['getStepAuditHistory', (client) => client.getStepAuditHistory(TASK, STEP)],
  ['healthCheck', (client) => client.healthCheck()],
];

describe('a client without the grant', () => {
  it.each(CALLS)('is there, and %s says that it was not granted', async (_name, call) => {
    const client = await getTaskerClient();
    expect(refusal(() => call(client))).toMatchObject({
      name: 'TaskerClientError',
      message: 'client capability not granted',
      recoverable: false,
    });
  });
});

describe('a client', () => {
  it('is one, over the one way to the host', async () => {
    expect(await getTaskerClient()).toBe(await getTaskerClient());
    expect(await getFfiLayer()).toBe(await getFfiLayer());
    const calls = orchestration({ healthy: true });
    expect(new TaskerClient(await getFfiLayer()).healthCheck()).toEqual({ healthy: true });
    expect(new TaskerClient().healthCheck()).toEqual({ healthy: true });
    expect(calls).toEqual([['healthCheck'], ['healthCheck']]);
  });

  it('creates a task, of which only the name need be said', () => {
    const calls = orchestration({ task_uuid: TASK });
    expect(new TaskerClient().createTask({ name: 'orders' })).toEqual({ task_uuid: TASK });
    new TaskerClient().createTask({ name: 'orders' });
    const [[, first], [, second]] = calls as [[string, { correlationId: string }], [string, { correlationId: string }]];
    expect(first).toEqual({
      name: 'orders',
      namespace: undefined,
      version: '1.0.0',
      context: '{}',
      initiator: 'tasker-core-typescript',
      sourceSystem: 'tasker-core',
      reason: 'Task requested',
      tags: [],
      priority: undefined,
      correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      parentCorrelationId: undefined,
      idempotencyKey: undefined,
    });
    expect(second.correlationId).not.toBe(first.correlationId);
  });

  it('creates a task as it is told to', () => {
    const calls = orchestration({});
    const options = {
      name: 'orders',
      namespace: 'shop',
      version: '2.0.0',
      initiator: 'me',
      sourceSystem: 'test',
      reason: 'why not',
      tags: ['a'],
      priority: 5,
      correlationId: TASK,
      parentCorrelationId: STEP,
      idempotencyKey: 'k',
    };
    new TaskerClient().createTask({ ...options, context: { order: 7 } });
    expect(calls).toEqual([['submitTask', { ...options, context: '{"order":7}' }]]);
  });

  it('lists fifty tasks from the first, and says where it is by both sets of names', () => {
    const calls = orchestration({
      tasks: [{ task_uuid: TASK }],
      pagination: { page: 1, per_page: 50, has_next: true, has_previous: false },
    });
    expect(new TaskerClient().listTasks()).toEqual({
      tasks: [{ task_uuid: TASK }],
      pagination: { page: 1, per_page: 50, has_next: true, has_previous: false, limit: 50, offset: 0, has_more: true },
    });
    new TaskerClient().listTasks({ limit: 10, offset: 20, namespace: 'shop', status: 'complete' });
    expect(calls).toEqual([
      ['listTasks', { limit: 50, offset: 0, namespace: undefined, status: undefined }],
      ['listTasks', { limit: 10, offset: 20, namespace: 'shop', status: 'complete' }],
    ]);
  });

  it('asks by the keys of task and step, and reads what is answered', () => {
    const calls = orchestration([{ name: 'charge' }]);
    const client = new TaskerClient();
    expect(client.getTask(TASK)).toEqual([{ name: 'charge' }]);
    expect(client.listTaskSteps(TASK)).toEqual([{ name: 'charge' }]);
    client.getStep(TASK, STEP);
    client.getStepAuditHistory(TASK, STEP);
    expect(client.cancelTask(TASK)).toEqual({ cancelled: true });
    expect(calls).toEqual([
      ['getTask', TASK],
      ['listTaskSteps', TASK],
      ['getStep', TASK, STEP],
      ['getStepAuditHistory', TASK, STEP],
      ['cancelTask', TASK],
    ]);
  });

  it.each([true, false])('says what the host refused it for, recoverable: %s', (recoverable) => {
    const payload = { message: 'the database does not answer', recoverable };
    orchestration(Object.assign(new Error('[object Object] (see error.payload)'), { payload }));
    expect(refusal(() => new TaskerClient().healthCheck())).toMatchObject(payload);
  });

  it('says what else went wrong', () => {
    orchestration(new TypeError('expected a string'));
    expect(refusal(() => new TaskerClient().getTask(TASK))).toMatchObject({
      message: 'expected a string',
      recoverable: false,
    });
  });
});
