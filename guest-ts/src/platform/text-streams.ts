/** Streams between bytes and text, which the engine lacks. */

export class TextDecoderStream {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  readonly readable: ReadableStream<string>;
  readonly writable: WritableStream<BufferSource>;

  constructor(label?: string, options?: TextDecoderOptions) {
    const decoder = new TextDecoder(label, options);
    ({ encoding: this.encoding, fatal: this.fatal, ignoreBOM: this.ignoreBOM } = decoder);
    ({ readable: this.readable, writable: this.writable } = parts<BufferSource, string>(
      (bytes) => decoder.decode(bytes, { stream: true }),
      () => decoder.decode(),
    ));
  }
}

export class TextEncoderStream {
  readonly encoding = 'utf-8';
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<string>;

  constructor() {
    const encoder = new TextEncoder();
    // The first half of a character may end one chunk, and the second begin the next.
    let half = '';
    ({ readable: this.readable, writable: this.writable } = parts<string, Uint8Array>(
      (chunk) => {
        const text = half + String(chunk);
        half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
        return encoder.encode(text.slice(0, text.length - half.length));
      },
      () => encoder.encode(half),
    ));
  }
}

/** A stream of what each chunk becomes, and of what is left at the end; nothing stands for what is empty. */
function parts<I, O extends { length: number }>(each: (chunk: I) => O, rest: () => O): TransformStream<I, O> {
  const pass = (part: O, controller: TransformStreamDefaultController<O>) => {
    if (part.length > 0) {
      controller.enqueue(part);
    }
  };
  return new TransformStream<I, O>({
    transform: (chunk, controller) => pass(each(chunk), controller),
    flush: (controller) => pass(rest(), controller),
  });
}
