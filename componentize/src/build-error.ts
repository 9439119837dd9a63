/** A build that failed for a reason its author can mend: a sentence, and one line a finding. */
export class BuildError extends Error {
  readonly details: readonly string[];

  constructor(summary: string, details: readonly string[] = []) {
    super(summary);
    this.name = 'BuildError';
    this.details = details;
  }

  /** The text a person reads. */
  render(): string {
    return [this.message, ...this.details.map((detail) => `  ${detail.replaceAll('\n', '\n  ')}`)].join('\n');
  }
}
