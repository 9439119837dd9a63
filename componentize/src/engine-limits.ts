/** What the engine's parser refuses, found before the engine stops at it without a line. */

import type ts from 'typescript';
import { BuildError } from './build-error.js';
import type { Bundle } from './bundle.js';
import { locate } from './locate.js';

/** The engine is built without Unicode tables: a literal with `\p{...}` is a syntax error there. */
export async function refuseUnicodeProperties(bundle: Bundle): Promise<void> {
  if (!/\\p\{/i.test(bundle.code)) {
    return;
  }
  // Loading the compiler takes half a second, which most packages need not wait for here.
  const { default: ts } = await import('typescript');
  const file = ts.createSourceFile(bundle.fileName, bundle.code, ts.ScriptTarget.ES2022, false, ts.ScriptKind.JS);
  const findings: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node) && usesProperty(node.text)) {
      const { line, character } = file.getLineAndCharacterOfPosition(node.getStart(file));
      const place = locate(bundle, { line: line + 1, column: character + 1 }) ?? bundle.fileName;
      findings.push(
        `${place}: ${node.text}: the component's engine has no \\p{...}; list the characters, as in [A-Za-z]`,
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  if (findings.length > 0) {
    throw new BuildError('regular expressions with Unicode properties cannot run in a component', findings);
  }
}

function usesProperty(literal: string): boolean {
  const flags = literal.slice(literal.lastIndexOf('/') + 1);
  return /[uv]/.test(flags) && /(?<!\\)(?:\\\\)*\\[pP]\{/.test(literal);
}
