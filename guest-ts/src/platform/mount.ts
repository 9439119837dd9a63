import type { Descriptor } from 'wasi:filesystem/types@0.2.12';

/** A granted directory. */
export interface Mount {
  directory: Descriptor;
  /** Absolute, as files below it are named. */
  path: string;
}
