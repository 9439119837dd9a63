#!/usr/bin/env node
// Committed as it is, so that npm can link it before anything is built.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(fileURLToPath(main))) {
  await import(main.href);
} else {
  console.error('tasker-componentize is not built yet: run `npm run build:tools` in the root of the repository');
  process.exitCode = 1;
}
