/** `node:process`. */

import { process } from '../process.js';

export const {
  arch,
  argv,
  argv0,
  chdir,
  cpuUsage,
  cwd,
  emitWarning,
  execArgv,
  execPath,
  exit,
  hrtime,
  kill,
  memoryUsage,
  nextTick,
  off,
  on,
  once,
  pid,
  platform,
  ppid,
  release,
  stderr,
  stdout,
  title,
  uptime,
  version,
  versions,
} = process;

/** The values of a call, as with `process.env`: an import cannot be a getter, and reading it now would ask the host. */
export const env: Record<string, string> = new Proxy({} as Record<string, string>, {
  get: (_, name) => Reflect.get(process.env, name),
  set: (_, name, value) => Reflect.set(process.env, name, value),
  has: (_, name) => Reflect.has(process.env, name),
  deleteProperty: (_, name) => Reflect.deleteProperty(process.env, name),
  ownKeys: () => Reflect.ownKeys(process.env),
  getOwnPropertyDescriptor: (_, name) => Reflect.getOwnPropertyDescriptor(process.env, name),
});

export default process;
