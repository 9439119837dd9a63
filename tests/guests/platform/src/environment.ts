/** What a component tells of where it runs. */

import os from 'node:os';
import { env } from 'node:process';
import { defineHandler } from '@tasker-systems/tasker';

export const Environment = defineHandler('platform.environment', {}, async () => {
  process.on('SIGTERM', () => {});
  const [seconds] = process.hrtime();
  return {
    env: { ...process.env },
    imported: env.REGION ?? null,
    here: [process.platform, process.arch, process.pid, process.cwd(), os.tmpdir(), os.EOL],
    versions: Object.keys(process.versions),
    time: typeof seconds === 'number' && process.hrtime.bigint() > 0n && process.uptime() > 0,
    memory: process.memoryUsage().heapUsed,
    global: global === globalThis && global.process === process,
    exit: (() => {
      try {
        return process.exit(1);
      } catch (error) {
        return String(error);
      }
    })(),
  };
});
