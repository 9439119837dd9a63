/** `node:stream`. */

import stream from '../stream.js';

export const {
  addAbortSignal,
  Duplex,
  finished,
  PassThrough,
  pipeline,
  promises,
  Readable,
  Stream,
  Transform,
  Writable,
} = stream;

export default stream;
