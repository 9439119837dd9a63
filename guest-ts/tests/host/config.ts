/** Settings of a component that was granted none. */

export function get(_key: string): string | undefined {
  return undefined;
}

export function entries(): Array<[string, string]> {
  return [];
}
