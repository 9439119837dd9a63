/** What handlers get when they import `pino-pretty`: a destination like any other, which has no effect. */

import { destination } from './index.js';

/** How records look is the operator's affair: options are taken and ignored. */
export default function pretty(_options?: unknown): ReturnType<typeof destination> {
  return destination();
}

export { pretty, pretty as build };
