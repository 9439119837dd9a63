/** What `pino()` and `child()` take. Options that say where records go and how they look there have no effect here. */

/** The levels every logger has. */
export type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
/** A level, or none at all. */
export type LevelWithSilent = Level | 'silent';
/** A level of any name. */
export type LevelWithSilentOrString = LevelWithSilent | (string & {});
/** Fields of every record of a logger. */
export type Bindings = Record<string, unknown>;
/** What becomes of a field. */
// biome-ignore lint/suspicious/noExplicitAny: a serializer knows what its field holds
export type SerializerFn = (value: any) => any;

/** What must not be logged. */
export interface RedactOptions {
  /** Such as `password`, `user.token`, `items[*].secret`. */
  paths: string[];
  censor?: string | ((value: unknown) => unknown);
  /** Leaves the fields out instead. */
  remove?: boolean;
}

/** What `child()` takes beside fields. */
export interface ChildLoggerOptions {
  level?: LevelWithSilentOrString;
  msgPrefix?: string;
  /** By the field's name. */
  serializers?: Record<string, SerializerFn>;
  redact?: string[] | RedactOptions;
  [unsupported: string]: unknown;
}

/** What `pino()` takes. */
export interface LoggerOptions extends ChildLoggerOptions {
  /** A field of every record. */
  name?: string;
  /** Fields of every record. */
  base?: Bindings | null;
  /** `false` silences the logger. */
  enabled?: boolean;
  /** More fields for a record. */
  mixin?: (fields: object, level: number) => object;
  formatters?: {
    bindings?: (bindings: Bindings) => object;
    log?: (fields: Record<string, unknown>) => Record<string, unknown>;
    [unsupported: string]: unknown;
  };
  /** Levels by name and number; the host keeps their records at the level of its own below. */
  customLevels?: Record<string, number>;
}
