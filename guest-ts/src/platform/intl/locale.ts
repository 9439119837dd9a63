/**
 * The one locale there is. The engine is built without `Intl`, and the data of all locales is bigger than the engine;
 * handlers format for people in American English. Another locale falls back to it, as the standard has it, and says so
 * once.
 */

export const LOCALE = 'en-US';

export type Locales = string | readonly string[] | undefined;

const told = new Set<string>();

/** @throws RangeError when a tag is none */
export function canonicalLocales(locales: Locales): string[] {
  const tags = locales === undefined ? [] : [locales].flat();
  for (const tag of tags) {
    if (typeof tag !== 'string' || !/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(tag)) {
      throw new RangeError(`Incorrect locale information provided: ${String(tag)}`);
    }
  }
  return [...new Set(tags)];
}

/** What every class of `Intl` does with the locales it is given. */
export function resolveLocale(locales: Locales): string {
  const [wanted] = canonicalLocales(locales);
  if (wanted !== undefined && !/^en(-US)?(-u-.*)?$/i.test(wanted) && !told.has(wanted)) {
    told.add(wanted);
    console.warn(`a component formats as in ${LOCALE}: there is no data for ${wanted}`);
  }
  return LOCALE;
}

export function supportedLocalesOf(locales: Locales): string[] {
  return canonicalLocales(locales).filter((tag) => /^en(-US)?$/i.test(tag));
}

export interface Part {
  type: string;
  value: string;
}

export const joined = (parts: readonly Part[]): string => parts.map(({ value }) => value).join('');
