/** What two looks at a package found, told once: its bundle and its types often stumble over the same line. */

import { BuildError } from './build-error.js';

/** `src/charge.ts:12:7: ` */
const PLACE = /^\S+:\d+:\d+: /;
/** The compiler does not find a module; why there is none, the bundler knows better. */
const NO_MODULE = /\(TS2307\)$/;

/**
 * One error of the two: of several findings in one place the compiler's remains, but for a module it does not find.
 */
export function together(loading: BuildError | null, types: BuildError | null): BuildError | null {
  if (loading === null || types === null) {
    return loading ?? types;
  }
  const loadingPlaces = placesOf(loading.details);
  const typeDetails = types.details.filter((detail) => !NO_MODULE.test(detail) || !loadingPlaces.has(placeOf(detail)));
  const typePlaces = placesOf(typeDetails);
  const loadingDetails = loading.details.filter((detail) => !typePlaces.has(placeOf(detail)));
  const remaining = [without(types, typeDetails), without(loading, loadingDetails)].filter((error) => error !== null);
  const [first, ...others] = remaining;
  return first === undefined ? loading : new BuildError(first.message, first.details, others);
}

/** Null when nothing is left of an error that had findings. */
function without(error: BuildError, details: readonly string[]): BuildError | null {
  if (details.length === error.details.length) {
    return error;
  }
  return details.length === 0 ? null : new BuildError(error.message, details, error.others);
}

function placeOf(detail: string): string {
  return PLACE.exec(detail)?.[0] ?? '';
}

function placesOf(details: readonly string[]): Set<string> {
  return new Set(details.map(placeOf).filter((place) => place !== ''));
}
