/**
 * Makes handlers of the SDK's own tests, so that what holds under Node is seen to hold in the engine too: one handler
 * for each test file, which loads the file when it is called. `vitest` becomes `src/vitest.ts`, the host's interfaces
 * become the recordings the tests have for them. What is written is a module like any other to the component builder.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const guest = at('../../../guest-ts');

const files = readdirSync(`${guest}/tests`, { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => name.replaceAll('\\', '/').slice(0, -'.test.ts'.length))
  .sort();
const leftOut = Object.keys(JSON.parse(readFileSync(at('left-out.json'), 'utf8')));
const gone = leftOut.filter((name) => !files.includes(name));
if (gone.length > 0) {
  throw new Error(`left-out.json names ${gone.join(', ')}, and there is no such test file: take the name out`);
}

const entry = files
  .filter((name) => !leftOut.includes(name))
  .map((name, index) => {
    const load = `() => import(${JSON.stringify(`${guest}/tests/${name}.test.ts`)})`;
    return `export const File${index} = contractHandler(${JSON.stringify(name)}, ${load});`;
  });

await build({
  stdin: {
    contents: ["import { contractHandler } from './handler.ts';", ...entry].join('\n'),
    resolveDir: at('src'),
    sourcefile: 'contract-tests.js',
  },
  outfile: at('src/index.js'),
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['import', 'default'],
  target: 'es2024',
  // Tests look at the names of classes.
  keepNames: true,
  external: ['@tasker-wasm/guest'],
  legalComments: 'none',
  logLevel: 'warning',
  tsconfigRaw: { compilerOptions: { target: 'ES2022', verbatimModuleSyntax: true } },
  alias: {
    vitest: at('src/vitest.ts'),
    pino: `${guest}/src/pino/index.ts`,
    'pino-pretty': `${guest}/src/pino/pretty.ts`,
    ...Object.fromEntries(
      readdirSync(`${guest}/tests/host`).map((file) => [
        `tasker:handler/${file.slice(0, -'.ts'.length)}@0.1.0`,
        `${guest}/tests/host/${file}`,
      ]),
    ),
  },
});
