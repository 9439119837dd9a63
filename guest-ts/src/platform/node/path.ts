/** `node:path`: a component has POSIX paths. */

import path from 'path-browserify';

export const {
  basename,
  delimiter,
  dirname,
  extname,
  format,
  isAbsolute,
  join,
  normalize,
  parse,
  relative,
  resolve,
  sep,
  posix,
} = path;

export const toNamespacedPath = (name: string): string => name;

export default path;
