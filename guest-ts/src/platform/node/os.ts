/** `node:os`: a machine of one core, of which nothing is told. */

import { process } from '../process.js';

export const EOL = '\n';
export const devNull = '/dev/null';
export const constants = { signals: {}, errno: {}, priority: {} };

export const arch = (): string => process.arch;
export const availableParallelism = (): number => 1;
export const cpus = (): unknown[] => [];
export const endianness = (): string => 'LE';
export const freemem = (): number => 0;
export const homedir = (): string => '/';
export const hostname = (): string => 'tasker-guest';
export const loadavg = (): number[] => [0, 0, 0];
export const machine = (): string => process.arch;
export const networkInterfaces = (): Record<string, unknown> => ({});
export const platform = (): string => process.platform;
export const release = (): string => process.version;
export const tmpdir = (): string => '/tmp';
export const totalmem = (): number => 0;
export const type = (): string => 'WASI';
export const uptime = (): number => process.uptime();
export const userInfo = () => ({ uid: -1, gid: -1, username: 'tasker', homedir: '/', shell: null });
export const version = (): string => process.version;

export default {
  EOL,
  arch,
  availableParallelism,
  constants,
  cpus,
  devNull,
  endianness,
  freemem,
  homedir,
  hostname,
  loadavg,
  machine,
  networkInterfaces,
  platform,
  release,
  tmpdir,
  totalmem,
  type,
  uptime,
  userInfo,
  version,
};
