/** Structured logging into the host. Not callable while the component is built. */
declare module 'tasker:handler/log@0.1.0' {
  export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
  export function enabled(level: Level): boolean;
  /** `fields` is a JSON object. */
  export function emit(level: Level, message: string, fields: string): void;
}

/** Facts about the running call, and progress that outlives it. */
declare module 'tasker:handler/execution@0.1.0' {
  /** Milliseconds until the host interrupts the call. */
  export function remainingMs(): number;
  export function cancellationRequested(): boolean;
  /** Throws an Error when it was not stored, whose `payload` says why. */
  export function saveCheckpoint(progress: {
    /** JSON text. */
    cursor: string;
    itemsProcessed: bigint;
    /** A JSON object. */
    accumulatedResults?: string | undefined;
  }): void;
}

/** Settings granted to the component; every value is JSON text. */
declare module 'tasker:handler/config@0.1.0' {
  export function get(key: string): string | undefined;
  export function entries(): Array<[string, string]>;
}
