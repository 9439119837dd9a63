/** The orchestration of a host: keeps what it is asked, answers what a test wants, refuses when it wants that. */

export const hostClient = {
  /** Function and arguments, in order. */
  calls: [] as unknown[][],
  /** What the next calls answer, as JSON; an Error is thrown. */
  answers: [] as unknown[],
};

function answer(...call: unknown[]): string {
  hostClient.calls.push(call);
  const next = hostClient.answers.shift();
  if (next instanceof Error) {
    throw next;
  }
  return JSON.stringify(next ?? {});
}

export const submitTask = (request: unknown) => answer('submitTask', request);
export const getTask = (task: string) => answer('getTask', task);
export const listTasks = (query: unknown) => answer('listTasks', query);
export const cancelTask = (task: string) => answer('cancelTask', task);
export const listTaskSteps = (task: string) => answer('listTaskSteps', task);
export const getStep = (task: string, step: string) => answer('getStep', task, step);
export const getStepAuditHistory = (task: string, step: string) => answer('getStepAuditHistory', task, step);
export const healthCheck = () => answer('healthCheck');
