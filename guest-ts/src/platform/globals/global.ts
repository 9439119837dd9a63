/** Node's name for the global object. */

Object.defineProperty(globalThis, 'global', { value: globalThis, writable: true, configurable: true });
