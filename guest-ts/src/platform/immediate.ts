/** `setImmediate`: a timer of no delay, which is all that Node promises of one. */

export function setImmediate<A extends unknown[]>(
  callback: (...args: A) => void,
  ...args: A
): ReturnType<typeof setTimeout> {
  return setTimeout(callback, 0, ...args);
}

export function clearImmediate(immediate: ReturnType<typeof setTimeout> | undefined): void {
  clearTimeout(immediate);
}
