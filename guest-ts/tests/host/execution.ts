/** Facts about a call that has all the time it wants. */

export function remainingMs(): number {
  return 30_000;
}

export function cancellationRequested(): boolean {
  return false;
}
