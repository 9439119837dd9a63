/** A build that failed for a reason its author can mend: a sentence, and one line a finding. */
export class BuildError extends Error {
  readonly details: readonly string[];
  /** What else is to be mended. */
  readonly others: readonly BuildError[];

  constructor(summary: string, details: readonly string[] = [], others: readonly BuildError[] = []) {
    super(summary);
    this.name = 'BuildError';
    this.details = details;
    this.others = others;
  }

  /** The text a person reads. */
  render(): string {
    const own = [this.message, ...this.details.map((detail) => `  ${detail.replaceAll('\n', '\n  ')}`)];
    return [...own, ...this.others.map((other) => other.render())].join('\n');
  }
}
