/**
 * Declarations stay parsed between two type checks of a process: those of the language, of the web and of Node are
 * nearly all that a check reads, and one that has them takes a tenth of a second instead of half a one. That is for
 * `watch`, and for many packages at once.
 */

import { statSync } from 'node:fs';
import ts from 'typescript';

const kept = new Map<string, { version: string; file: ts.SourceFile | undefined }>();

export function hostWithKeptDeclarations(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (name, how, ...rest) => {
    const stats = /\.d\.[cm]?ts$/.test(name) ? statSync(name, { throwIfNoEntry: false }) : undefined;
    if (stats === undefined) {
      return getSourceFile(name, how, ...rest);
    }
    const version = `${stats.mtimeMs} ${stats.size} ${JSON.stringify(how)}`;
    const before = kept.get(name);
    if (before?.version === version) {
      return before.file;
    }
    const file = getSourceFile(name, how, ...rest);
    kept.set(name, { version, file });
    return file;
  };
  return host;
}
