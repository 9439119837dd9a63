/** Streams of the library that Node's are published as, in a module of their own: they are big. */

import stream from 'readable-stream/lib/ours/browser.js';
import { chunks, streamOf } from './web-stream.js';

// The library makes no streams of the web from its own, nor the other way round.
Object.assign(stream.Readable, {
  fromWeb: (web: ReadableStream, options?: object) => stream.Readable.from(chunks(web), options),
  toWeb: streamOf,
});

export default stream;
