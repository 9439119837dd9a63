/** The host's log, kept in memory. Records of a level outside `wanted` are refused, as a host's filter does. */

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface HostRecord {
  level: Level;
  message: string;
  fields: unknown;
}

export const hostLog = {
  records: [] as HostRecord[],
  /** Levels that were asked for, in order. */
  asked: [] as Level[],
  wanted: new Set<Level>(['info', 'warn', 'error']),
};

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'] satisfies Level[];

/** As the component's bindings do, before they call the host. */
function refuseUnknown(level: string): void {
  if (!LEVELS.includes(level)) {
    throw new TypeError(`"${level}" is not one of the cases of level`);
  }
}

export function enabled(level: Level): boolean {
  refuseUnknown(level);
  hostLog.asked.push(level);
  return hostLog.wanted.has(level);
}

export function emit(level: Level, message: string, fields: string): void {
  refuseUnknown(level);
  hostLog.records.push({ level, message, fields: JSON.parse(fields) });
}
