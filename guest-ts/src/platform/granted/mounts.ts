/** The granted directories, each under its path in `tasker.toml`. */

import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';
import type { Mount } from '../mount.js';

export function mounts(): Mount[] {
  return getDirectories().map(([directory, path]) => ({ directory, path }));
}
