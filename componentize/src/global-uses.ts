/** Uses of globals, in a package's own files, that its author should hear of. */

import ts from 'typescript';

export interface GlobalUse {
  /** `Bun.file`. */
  name: string;
  node: ts.Node;
}

const ENGINE = 'handlers run in a component: use what it has of Node, fetch, and the SDK';

/** Runtimes that a handler does not run in, and what to do instead. */
export const FOREIGN: Readonly<Record<string, string>> = { Bun: ENGINE, Deno: ENGINE };

/** Members of other runtimes, but for files that ask `typeof Bun` first and can do without. */
export function foreignUses(file: ts.SourceFile): GlobalUse[] {
  const names = Object.keys(FOREIGN).filter((name) => file.text.includes(name));
  return names.length === 0
    ? []
    : memberUses(file, (object) => names.includes(object) && !new RegExp(`typeof ${object}\\b`).test(file.text));
}

export function environmentUses(file: ts.SourceFile): GlobalUse[] {
  return file.text.includes('process.env')
    ? memberUses(file, (object, member) => object === 'process' && member === 'env')
    : [];
}

function memberUses(file: ts.SourceFile, isMeant: (object: string, member: string) => boolean): GlobalUse[] {
  const found: GlobalUse[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isPropertyAccessExpression(node) &&
      ts.isIdentifier(node.expression) &&
      isMeant(node.expression.text, node.name.text)
    ) {
      found.push({ name: `${node.expression.text}.${node.name.text}`, node });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
