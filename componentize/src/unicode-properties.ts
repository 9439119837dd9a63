/**
 * Regular expressions with `\p{...}`, written for an engine that is built without Unicode tables and takes a literal of
 * that kind for a syntax error. Each becomes a call of the same width, of a function at the end of the code that makes
 * the expression with its characters listed: no line or column of anything else moves, so the source map stays right. A
 * pattern that is put together at run time is not seen.
 */

import rewritePattern from 'regexpu-core';
import ts from 'typescript';
import { BuildError } from './build-error.js';
import type { Bundle } from './bundle.js';
import { locate } from './locate.js';

interface Expression {
  node: ts.Node;
  pattern: string;
  flags: string;
}

/** @throws BuildError when a property is none */
export function lowerUnicodeProperties(bundle: Bundle): Bundle {
  const { code } = bundle;
  const file = ts.createSourceFile(bundle.fileName, code, ts.ScriptTarget.ES2022, false, ts.ScriptKind.JS);
  const prefix = freePrefix(code);
  const functions: string[] = [];
  const findings: string[] = [];
  let lowered = '';
  let done = 0;
  for (const { node, pattern, flags } of expressions(file)) {
    const start = node.getStart(file);
    try {
      const name = `${prefix}${functions.length}`;
      functions.push(`function ${name}(){return ${listed(pattern, flags)}}`);
      lowered += `${code.slice(done, start)}${`${name}()`.padEnd(node.end - start)}`;
      done = node.end;
    } catch (error) {
      const { line, character } = file.getLineAndCharacterOfPosition(start);
      const place = locate(bundle, { line: line + 1, column: character + 1 }) ?? bundle.fileName;
      findings.push(`${place}: ${node.getText(file)}: ${(error as Error).message}`);
    }
  }
  if (findings.length > 0) {
    throw new BuildError('regular expressions with unknown Unicode properties', findings);
  }
  return functions.length === 0
    ? bundle
    : { ...bundle, code: [lowered + code.slice(done), ...functions, ''].join('\n') };
}

/** Literals, and calls of `RegExp` with literal arguments. */
function expressions(file: ts.SourceFile): Expression[] {
  const found: Expression[] = [];
  const add = (node: ts.Node, pattern: string, flags: string) => {
    if (/[uv]/.test(flags) && /(?<!\\)(?:\\\\)*\\[pP]\{/.test(pattern)) {
      found.push({ node, pattern, flags });
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      add(node, node.text.slice(1, end), node.text.slice(end + 1));
    } else if (isRegExpCall(node)) {
      const [pattern, flags] = node.arguments ?? [];
      if (pattern && ts.isStringLiteralLike(pattern) && flags && ts.isStringLiteralLike(flags)) {
        add(node, pattern.text, flags.text);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function isRegExpCall(node: ts.Node): node is ts.NewExpression | ts.CallExpression {
  return (
    (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'RegExp'
  );
}

function listed(pattern: string, flags: string): string {
  const options = { unicodePropertyEscapes: 'transform', unicodeSetsFlag: 'transform' } as const;
  const source = rewritePattern(pattern, flags, options).replace(/(?<!\\)((?:\\\\)*)\//g, '$1\\/');
  return `/${source}/${flags.replace('v', 'u')}`;
}

/** Short: the smallest literal of this kind, `/\p{L}/u`, has eight characters. */
function freePrefix(code: string): string {
  const prefix = ['$p', '_p', '$q', '_q', '$r', '_r'].find((candidate) => !code.includes(candidate));
  if (prefix === undefined) {
    throw new Error('no short name is free in the bundle');
  }
  return prefix;
}
