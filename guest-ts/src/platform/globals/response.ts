/** The method `clone` of responses. */

import { cloneOf } from '../response.js';

Object.defineProperty(Response.prototype, 'clone', {
  value(this: Response): Response {
    return cloneOf(this);
  },
  writable: true,
  configurable: true,
});
