/**
 * Log records into the host. No import can be called while the component is being built, and modules may log when
 * they load: until the first export call, records wait in a queue.
 */

import { emit, enabled } from 'tasker:handler/log@0.1.0';
import { type LogMethod, logInfo, setLoggingRuntime } from '../logging/index.js';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
type Fields = Parameters<LogMethod>[1];

/** Records kept while the host cannot be reached; later ones are counted, not kept. */
const MAX_QUEUED = 100;

let queue: Array<[Level, string, Fields]> | null = [];
let dropped = 0;
const wanted = new Map<Level, boolean>();

export function installHostLog(): void {
  setLoggingRuntime({
    logError: (message, fields) => record('error', message, fields),
    logWarn: (message, fields) => record('warn', message, fields),
    logInfo: (message, fields) => record('info', message, fields),
    logDebug: (message, fields) => record('debug', message, fields),
    logTrace: (message, fields) => record('trace', message, fields),
  });
}

/** Called at the start of every export call. */
export function openHostLog(): void {
  if (queue === null) {
    return;
  }
  const waiting = queue;
  queue = null;
  // An iterator costs 18,000 units of fuel even where there is nothing to iterate over.
  if (waiting.length === 0) {
    return;
  }
  for (const [level, message, fields] of waiting) {
    try {
      record(level, message, fields);
    } catch {
      // Fields without a JSON form: whoever wrote them is no longer there to be told.
    }
  }
  if (dropped > 0) {
    record('warn', `${dropped} log records written while the modules loaded were dropped`, {});
  }
}

/** Compiles what a log call runs. A level that is none is refused before it reaches the host. */
export function warmHostLog(): void {
  const waiting = queue;
  const none = 'none' as Level;
  queue = [];
  logInfo('warm', { text: 'warm', number: 1 });
  queue = waiting;
  for (const call of [() => write(none, 'warm', {}), () => enabled(none), () => emit(none, 'warm', '{}')]) {
    try {
      call();
    } catch {
      // As expected.
    }
  }
}

function record(level: Level, message: string, fields: Fields): void {
  if (queue === null) {
    write(level, message, fields);
  } else if (queue.length < MAX_QUEUED) {
    queue.push([level, message, fields]);
  } else {
    dropped += 1;
  }
}

function write(level: Level, message: string, fields: Fields): void {
  let isWanted = wanted.get(level);
  if (isWanted === undefined) {
    isWanted = enabled(level);
    wanted.set(level, isWanted);
  }
  if (isWanted) {
    emit(level, String(message), JSON.stringify(fields));
  }
}
