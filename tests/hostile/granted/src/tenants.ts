/**
 * Handlers that were granted the orchestration client, and take another tenant's tasks for their own. The input has the
 * ids: `task` and `step`.
 */

import * as client from 'tasker:handler/client@0.1.0';
import type { StepContext } from '@tasker-systems/tasker';
import { granted, tried } from './handler.js';

const ids = (context: StepContext): [task: string, step: string] => [
  context.getInputOr('task', '00000000-0000-0000-0000-000000000000'),
  context.getInputOr('step', '00000000-0000-0000-0000-000000000000'),
];

/** Reads everything there is to read of the task. */
export const ReadTheirs = granted('read_theirs', (context) => {
  const [task, step] = ids(context);
  return {
    task: tried(() => client.getTask(task)),
    steps: tried(() => client.listTaskSteps(task)),
    step: tried(() => client.getStep(task, step)),
    history: tried(() => client.getStepAuditHistory(task, step)),
  };
});

/** Ends the task. */
export const CancelTheirs = granted('cancel_theirs', (context) => ({
  cancelled: tried(() => client.cancelTask(ids(context)[0])),
}));

/** Says that it is of their namespace, in several spellings. */
export const NameTheirs = granted('name_theirs', () => ({
  list: tried(() => client.listTasks({ namespace: 'hostile' })),
  list_capitals: tried(() => client.listTasks({ namespace: 'HOSTILE' })),
  list_all: tried(() => client.listTasks({ namespace: '*' })),
  list_pattern: tried(() => client.listTasks({ namespace: 'host%' })),
  submit: tried(() => client.submitTask({ name: 'echo', namespace: 'hostile', context: '{}', tags: [] })),
  submit_by_name: tried(() => client.submitTask({ name: 'hostile/echo', context: '{}', tags: [] })),
}));

/** Ids that are none: a statement of SQL, a path, a text without end. */
export const AskNonsense = granted('ask_nonsense', () =>
  Object.fromEntries(
    ["' OR 1=1 --", '../../tasks', '', '\u202e', '*', 'x'.repeat(100_000)].map((id, index) => [
      `id_${index}`,
      tried(() => client.getTask(id)),
    ]),
  ),
);

/** Input that is no object, and no JSON. */
export const SubmitNonsense = granted('submit_nonsense', () =>
  Object.fromEntries(
    ['', '[1]', '{"a": ', '{"a": "\\u0000"}', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`].map((context, index) => [
      `context_${index}`,
      tried(() => client.submitTask({ name: 'tenants', context, tags: [] })),
    ]),
  ),
);
