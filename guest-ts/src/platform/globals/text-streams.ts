/** The global streams between bytes and text. */

import { TextDecoderStream, TextEncoderStream } from '../text-streams.js';

for (const [name, value] of Object.entries({ TextDecoderStream, TextEncoderStream })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
