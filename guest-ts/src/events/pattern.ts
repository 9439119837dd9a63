/**
 * Whether an event name fits a subscription: `*` stands for any characters, and so does a dot for any one character, as
 * in every Tasker worker.
 */
export function matchesPattern(eventName: string, pattern: string): boolean {
  if (pattern === '*') {
    return true;
  }
  const source = pattern.replace(/[\\^$+?()[\]{}|]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`).test(eventName);
}
