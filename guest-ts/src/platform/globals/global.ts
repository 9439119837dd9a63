/** Node's name for the global object. */
export const global: typeof globalThis = globalThis;
