/**
 * What a sandbox cannot give is thrown where it is used and not where it is imported: many libraries import more than
 * they use.
 */

export class SandboxUnsupportedError extends Error {
  readonly code = 'ERR_SANDBOX_UNSUPPORTED';
  /** Trying again changes nothing. */
  readonly retryable = false;

  constructor(what: string, instead: string) {
    super(`${what} does not work in a component: ${instead}`);
    this.name = 'SandboxUnsupportedError';
  }
}

/** A function, or class, that throws when it is called, constructed or extended and constructed. */
export function unsupported(what: string, instead: string): (...args: unknown[]) => never {
  // No arrow function: some construct it, and others extend it.
  function refuse(): never {
    throw new SandboxUnsupportedError(what, instead);
  }
  return refuse;
}

/**
 * A module of which every member is {@link unsupported}. They are found on its prototype, where bundled imports look
 * too.
 */
export function unsupportedModule(name: string, instead: string): object {
  const members = new Map<string, unknown>();
  const prototype = new Proxy(
    {},
    {
      get(_target, key) {
        // Asked by whoever tells kinds of modules apart, and of anything that is awaited.
        if (typeof key !== 'string' || key === '__esModule' || key === 'then') {
          return undefined;
        }
        if (!members.has(key)) {
          members.set(key, unsupported(`${name}#${key}`, instead));
        }
        return members.get(key);
      },
    },
  );
  return Object.create(prototype);
}
