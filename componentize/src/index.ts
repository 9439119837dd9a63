/** Builds handler packages from a program: what the `tasker-componentize` command does. */
export { type BuildOptions, type BuildResult, build } from './build.js';
export { BuildError } from './build-error.js';
export { type CheckResult, check } from './check.js';
export type { Manifest } from './manifest.js';
export type { Part } from './size.js';
