/** Structured logging into the host. Not callable while the component is built. */
declare module 'tasker:handler/log@0.1.0' {
  export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
  export function enabled(level: Level): boolean;
  /** `fields` is a JSON object. */
  export function emit(level: Level, message: string, fields: string): void;
}

/** Facts about the running call. */
declare module 'tasker:handler/execution@0.1.0' {
  /** Milliseconds until the host interrupts the call. */
  export function remainingMs(): number;
  export function cancellationRequested(): boolean;
}

/** Settings granted to the component; every value is JSON text. */
declare module 'tasker:handler/config@0.1.0' {
  export function get(key: string): string | undefined;
  export function entries(): Array<[string, string]>;
}
