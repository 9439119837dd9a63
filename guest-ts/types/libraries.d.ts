/** What is used of libraries that declare nothing themselves, or nothing for the file that is imported. */

declare module 'buffer/index.js' {
  export { Buffer } from 'buffer/';
  export const INSPECT_MAX_BYTES: number;
  export const kMaxLength: number;
  export class SlowBuffer {
    constructor(size: number);
  }
}

declare module 'events/events.js' {
  type Listener = (...args: never[]) => void;

  class EventEmitter {
    static defaultMaxListeners: number;
    static once(emitter: EventEmitter, event: string | symbol): Promise<unknown[]>;
    on(event: string | symbol, listener: Listener): this;
    off(event: string | symbol, listener: Listener): this;
    emit(event: string | symbol, ...args: unknown[]): boolean;
    listeners(event: string | symbol): Listener[];
    listenerCount(event: string | symbol): number;
    setMaxListeners(count: number): this;
  }
  export default EventEmitter;
}

declare module 'node-inspect-extracted' {
  const inspection: Record<'format' | 'formatWithOptions', (...args: unknown[]) => string> & {
    inspect: ((value: unknown, options?: object) => string) & { custom: symbol };
  };
  export default inspection;
}

declare module 'path-browserify' {
  export interface ParsedPath {
    root: string;
    dir: string;
    base: string;
    ext: string;
    name: string;
  }
  export interface Path {
    basename(path: string, suffix?: string): string;
    delimiter: string;
    dirname(path: string): string;
    extname(path: string): string;
    format(path: Partial<ParsedPath>): string;
    isAbsolute(path: string): boolean;
    join(...paths: string[]): string;
    normalize(path: string): string;
    parse(path: string): ParsedPath;
    relative(from: string, to: string): string;
    resolve(...paths: string[]): string;
    sep: string;
    posix: Path;
  }
  const path: Path;
  export default path;
}

declare module 'string_decoder/lib/string_decoder.js' {
  const decoder: {
    StringDecoder: new (encoding?: string) => { write(chunk: Uint8Array): string; end(chunk?: Uint8Array): string };
  };
  export default decoder;
}

declare module 'url/url.js' {
  const url: Record<'parse' | 'resolve' | 'resolveObject' | 'format', (...args: unknown[]) => never>;
  export default url;
}

declare module 'unorm' {
  const unorm: Record<'nfc' | 'nfd' | 'nfkc' | 'nfkd', (text: string) => string>;
  export default unorm;
}

declare module 'readable-stream/lib/ours/browser.js' {
  type Class = new (options?: object) => unknown;
  type Promised = Record<'finished' | 'pipeline', (...args: unknown[]) => Promise<void>>;

  const stream: Class &
    Record<'Duplex' | 'PassThrough' | 'Stream' | 'Transform' | 'Writable', Class> & {
      Readable: Class & { from(source: unknown, options?: object): AsyncIterable<unknown> };
      addAbortSignal<S>(signal: AbortSignal, stream: S): S;
      finished(...args: unknown[]): () => void;
      pipeline(...args: unknown[]): unknown;
      promises: Promised;
    };
  export default stream;
}
