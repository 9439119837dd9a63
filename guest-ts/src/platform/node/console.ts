/** `node:console`: the console of the component, whose lines are log records of the step. */

const { console } = globalThis;

export const {
  assert,
  clear,
  count,
  countReset,
  debug,
  dir,
  dirxml,
  error,
  group,
  groupCollapsed,
  groupEnd,
  info,
  log,
  table,
  time,
  timeEnd,
  timeLog,
  trace,
  warn,
} = console;

export { console };

export default console;
