/** Builds handler packages from a program: what the `tasker-componentize` command does. */
export { type BuildResult, build } from './build.js';
export { BuildError } from './build-error.js';
export type { Manifest } from './manifest.js';
