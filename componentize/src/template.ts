/** What a package's `template.yaml` names, each with its line: what the component has to serve. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Scalar, type YAMLMap } from 'yaml';
import { BuildError } from './build-error.js';

export interface TemplateCallable {
  callable: string;
  step: string;
  /** `template.yaml:12` */
  location: string;
  method: string | null;
  resolver: string | null;
}

export interface TemplatePublisher {
  publisher: string;
  step: string;
  event: string;
  /** `template.yaml:12` */
  location: string;
}

export interface Template {
  /** Null when it names none. */
  namespace: { name: string; location: string } | null;
  callables: TemplateCallable[];
  publishers: TemplatePublisher[];
}

/** Empty when the package has no template of its own. */
export function readTemplate(directory: string): Template {
  const file = join(directory, 'template.yaml');
  if (!existsSync(file)) {
    return { namespace: null, callables: [], publishers: [] };
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
  const maps = isSeq(steps) ? steps.items.filter((step) => isMap(step)) : [];
  const locate = (node: Scalar) => `template.yaml:${lines.linePos(node.range?.[0] ?? 0).line}`;
  const namespace = document.get('namespace_name', true);
  return {
    namespace: isScalar(namespace) ? { name: String(namespace.value), location: locate(namespace) } : null,
    callables: maps.flatMap((step) => callableOf(step, locate)),
    publishers: maps.flatMap((step) => publishersOf(step, locate)),
  };
}

type Locate = (node: Scalar) => string;

function callableOf(step: YAMLMap, locate: Locate): TemplateCallable[] {
  const handler = step.get('handler');
  const callable = isMap(handler) ? handler.get('callable', true) : undefined;
  if (!isMap(handler) || !isScalar(callable) || typeof callable.value !== 'string') {
    return [];
  }
  return [
    {
      callable: callable.value,
      step: String(step.get('name')),
      location: locate(callable),
      method: text(handler.get('method')),
      resolver: text(handler.get('resolver')),
    },
  ];
}

function publishersOf(step: YAMLMap, locate: Locate): TemplatePublisher[] {
  const events = step.get('publishes_events');
  return (isSeq(events) ? events.items : []).flatMap((event) => {
    const publisher = isMap(event) ? event.get('publisher', true) : undefined;
    if (!isMap(event) || !isScalar(publisher) || text(publisher.value) === null) {
      return [];
    }
    return [
      {
        publisher: String(publisher.value),
        step: String(step.get('name')),
        event: String(event.get('name')),
        location: locate(publisher),
      },
    ];
  });
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
