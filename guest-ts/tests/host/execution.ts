/** Facts about a call that has all the time it wants, and the checkpoints it left. */

export interface HostCheckpoint {
  cursor: string;
  itemsProcessed: bigint;
  accumulatedResults?: string | undefined;
}

export const hostExecution = {
  checkpoints: [] as HostCheckpoint[],
  /** Why the next checkpoint is not stored. */
  refusal: null as string | null,
};

export function remainingMs(): number {
  return 30_000;
}

export function cancellationRequested(): boolean {
  return false;
}

/** Refuses as the component's bindings do: with an Error that carries the `err` of the result. */
export function saveCheckpoint(progress: HostCheckpoint): void {
  const { refusal } = hostExecution;
  if (refusal !== null) {
    throw Object.assign(new Error(`${refusal} (see error.payload)`), { payload: refusal });
  }
  hostExecution.checkpoints.push(progress);
}
