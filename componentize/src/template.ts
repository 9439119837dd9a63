/** The callables a package's `template.yaml` names, each with its line: what the component has to serve. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { BuildError } from './build-error.js';

export interface TemplateCallable {
  callable: string;
  step: string;
  /** `template.yaml:12` */
  location: string;
  method: string | null;
  resolver: string | null;
}

/** Empty when the package has no template of its own. */
export function readTemplateCallables(directory: string): TemplateCallable[] {
  const file = join(directory, 'template.yaml');
  if (!existsSync(file)) {
    return [];
  }
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(file, 'utf8'), { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new BuildError(
      'template.yaml is not valid YAML',
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return `template.yaml:${line}:${col}: ${error.message.split('\n', 1)[0]}`;
      }),
    );
  }
  const steps = document.get('steps');
  if (!isSeq(steps)) {
    return [];
  }
  return steps.items.flatMap((step) => {
    const handler = isMap(step) ? step.get('handler') : undefined;
    const callable = isMap(handler) ? handler.get('callable', true) : undefined;
    if (!isMap(step) || !isMap(handler) || !isScalar(callable) || typeof callable.value !== 'string') {
      return [];
    }
    const { line } = lines.linePos(callable.range?.[0] ?? 0);
    return {
      callable: callable.value,
      step: String(step.get('name')),
      location: `template.yaml:${line}`,
      method: text(handler.get('method')),
      resolver: text(handler.get('resolver')),
    };
  });
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
