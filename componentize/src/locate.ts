/** From a line and column of the bundle to the line of the source it came from. */

import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { Bundle } from './bundle.js';

export interface Position {
  /** 1-based. */
  line: number;
  /** 1-based. */
  column: number;
}

/** `src/charge.ts:12:7`; null where the bundle has no source, as in its generated entry. */
export function locate(bundle: Bundle, position: Position): string | null {
  const original = originalPositionFor(new TraceMap(bundle.map as never), {
    line: position.line,
    column: position.column - 1,
  });
  return original.source === null ? null : `${original.source}:${original.line}:${original.column + 1}`;
}

/** The innermost position in a stack that lies in a file of the package. */
export function locateStack(bundle: Bundle, stack: string): string | null {
  const frame = new RegExp(`${bundle.fileName.replace('.', '\\.')}:(\\d+):(\\d+)`, 'g');
  for (const [, line, column] of stack.matchAll(frame)) {
    const place = locate(bundle, { line: Number(line), column: Number(column) });
    if (place !== null && !place.startsWith('@tasker-wasm/guest/') && !place.startsWith('tasker-')) {
      return place;
    }
  }
  return null;
}
