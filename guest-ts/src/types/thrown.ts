/**
 * Reading a thrown value. JavaScript can throw anything, a proxy that throws on every touch among it, and nothing may
 * escape a component: so every look at the value is guarded on its own.
 */

/** Longest message, in characters; 8 KiB of text is beyond what a person reads. */
const MAX_MESSAGE = 8192;
/** Frames kept of a stack: enough to see where a recursion turns. */
const MAX_FRAMES = 50;
/** Longest frame, in characters. */
const MAX_FRAME = 400;
/** Characters of the raw stack looked at: a deep recursion leaves many times that. */
const MAX_STACK = 32768;

export interface Thrown {
  message: string;
  /** Name of the value's class. */
  typeName: string;
  /** False only where the error says so itself, as `PermanentError` does. */
  retryable: boolean;
  metadata: unknown;
  /** Innermost first, in the engine's own notation. */
  frames: string[];
}

export function readThrown(value: unknown): Thrown {
  return {
    message: messageOf(value).slice(0, MAX_MESSAGE),
    typeName: guarded(() => typeNameOf(value), 'UnknownError').slice(0, MAX_FRAME),
    retryable: guarded(() => (value as { retryable?: unknown }).retryable !== false, true),
    metadata: guarded(() => (value as { metadata?: unknown }).metadata, undefined),
    frames: guarded(() => framesOf((value as { stack?: unknown }).stack), []),
  };
}

/** What a thrown value says, whatever it is. */
export function messageOf(value: unknown): string {
  return guarded(() => {
    if (typeof value === 'object' && value !== null) {
      const { message } = value as { message?: unknown };
      if (typeof message === 'string' && message !== '') {
        return message;
      }
      return value instanceof Error ? typeNameOf(value) : `Handler threw an object: ${describe(value)}`;
    }
    return typeof value === 'string' && value !== '' ? value : `Handler threw ${describe(value)}`;
  }, 'Handler threw a value that cannot be read');
}

function typeNameOf(value: unknown): string {
  if (value === null || value === undefined) {
    return 'UnknownError';
  }
  const { name } = (value as object).constructor ?? {};
  return typeof name === 'string' && name !== '' ? name : 'UnknownError';
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return JSON.stringify(value) ?? 'without a JSON form';
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function framesOf(stack: unknown): string[] {
  if (typeof stack !== 'string') {
    return [];
  }
  const frames: string[] = [];
  for (const line of stack.slice(0, MAX_STACK).split('\n')) {
    // The engine's bindings stand at the end of every stack.
    if (line !== '' && !line.includes('initializer.js')) {
      frames.push(line.slice(0, MAX_FRAME));
      if (frames.length === MAX_FRAMES) {
        break;
      }
    }
  }
  return frames;
}

function guarded<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
