/** `node:stream/web`: the engine's own. */

export const {
  ByteLengthQueuingStrategy,
  CompressionStream,
  CountQueuingStrategy,
  DecompressionStream,
  ReadableStream,
  TransformStream,
  WritableStream,
} = globalThis;

export default {
  ByteLengthQueuingStrategy,
  CompressionStream,
  CountQueuingStrategy,
  DecompressionStream,
  ReadableStream,
  TransformStream,
  WritableStream,
};
