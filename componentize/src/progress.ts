/** Silence for what is quick; a line for what takes long, and another as it goes on. */

const FIRST_MS = 2000;
const NEXT_MS = 10_000;

export type Report = (line: string) => void;

/** Runs one step of a build, reporting it when it takes long. */
export async function withProgress<T>(report: Report, what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  let timer = setTimeout(function tick() {
    const seconds = (performance.now() - started) / 1000;
    report(seconds < 5 ? `${what} ...` : `${what} ... ${Math.round(seconds)} s`);
    timer = setTimeout(tick, NEXT_MS);
  }, FIRST_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
