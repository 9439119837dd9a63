/** The directories of a package that asks for none. */

import type { Mount } from '../mount.js';

export function mounts(): Mount[] {
  return [];
}
