/** The environment of a package that asks for none. */
export function environment(): Record<string, string> {
  return {};
}
