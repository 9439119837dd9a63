/** Places in a package's files, and what the compiler says of them, as a person reads it. */

import { relative } from 'node:path';
import ts from 'typescript';

/** `src/charge.ts:12:7: Cannot find name 'x'. (TS2304)` */
export function render(diagnostic: ts.Diagnostic, directory: string): string {
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  const text = `${message} (TS${diagnostic.code})`;
  return diagnostic.file === undefined
    ? text
    : `${location(diagnostic.file, diagnostic.start ?? 0, directory)}: ${text}`;
}

/** `src/charge.ts:12:7`, in a package's directory. */
export function location(file: ts.SourceFile, position: number, directory: string): string {
  const { line, character } = file.getLineAndCharacterOfPosition(position);
  return `${relative(directory, file.fileName)}:${line + 1}:${character + 1}`;
}
