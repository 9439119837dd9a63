/** Where the keys of a TOML document stand: the parser gives values without their lines. */

export type KeyPath = readonly string[];

/** One part of a key: bare or quoted. */
const PART = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([\w-]+)/g;
const DOTTED = String.raw`(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+))*`;
const TABLE = new RegExp(String.raw`^\[\[?\s*(${DOTTED})\s*\]`);
const KEY = new RegExp(String.raw`^(${DOTTED})\s*=`);

/** What is wrong with a document, each finding with its line. */
export class Findings {
  readonly found: string[] = [];
  readonly #fileName: string;
  readonly #lines: readonly string[];
  readonly #keys: ReadonlyArray<{ path: KeyPath; line: number }>;

  constructor(fileName: string, source: string) {
    this.#fileName = fileName;
    this.#lines = source.split('\n');
    this.#keys = keysOf(this.#lines);
  }

  /** @param value tells the element of a list from the others: the line it is written on counts */
  add(path: KeyPath, problem: string, value?: unknown): void {
    this.found.push(`${this.place(path, value)}: ${problem}`);
  }

  /** `tasker.toml:7`: the key's line, that of the closest table around it, or the first. */
  place(path: KeyPath, value?: unknown): string {
    for (let length = path.length; length > 0; length -= 1) {
      const key = this.#keys.find((candidate) => startsWith(candidate.path, path.slice(0, length)));
      if (key !== undefined) {
        return `${this.#fileName}:${this.#lineOfValue(key.line, value)}`;
      }
    }
    return `${this.#fileName}:1`;
  }

  #lineOfValue(from: number, value: unknown): number {
    if (typeof value !== 'string') {
      return from;
    }
    const index = this.#lines.findIndex(
      (line, at) => at >= from - 1 && (line.includes(JSON.stringify(value)) || line.includes(`'${value}'`)),
    );
    return index < 0 ? from : index + 1;
  }
}

function keysOf(lines: readonly string[]): Array<{ path: KeyPath; line: number }> {
  let table: KeyPath = [];
  return lines.flatMap((text, index) => {
    const start = text.trim();
    const header = TABLE.exec(start);
    if (header !== null) {
      table = parts(header[1] as string);
      return [{ path: table, line: index + 1 }];
    }
    const key = KEY.exec(start);
    return key === null ? [] : [{ path: [...table, ...parts(key[1] as string)], line: index + 1 }];
  });
}

function parts(dotted: string): string[] {
  return [...dotted.matchAll(PART)].map(([, basic, literal, bare]) => basic ?? literal ?? bare ?? '');
}

function startsWith(path: KeyPath, prefix: KeyPath): boolean {
  return prefix.every((part, index) => path[index] === part);
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function show(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
