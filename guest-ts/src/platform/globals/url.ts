/** `URL.canParse`, which the engine lacks. */

Object.defineProperty(URL, 'canParse', {
  value(url: string, base?: string): boolean {
    try {
      new URL(url, base);
      return true;
    } catch {
      return false;
    }
  },
  writable: true,
  configurable: true,
});
