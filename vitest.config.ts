import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      // The names handlers know the SDK by, as the component builder resolves them.
      {
        find: /^(@tasker-systems\/(tasker|worker)|@tasker\/worker-typescript)$/,
        replacement: at('guest-ts/src/index.ts'),
      },
      { find: /^pino$/, replacement: at('guest-ts/src/pino/index.ts') },
      { find: /^pino-pretty$/, replacement: at('guest-ts/src/pino/pretty.ts') },
      { find: '@tasker-wasm/guest/testing', replacement: at('guest-ts/src/testing/index.ts') },
      // In a component the host implements these; here a recording stands in for it.
      {
        find: /^tasker:handler\/(log|execution|config|client|events)@0\.1\.0$/,
        replacement: at('guest-ts/tests/host/$1.ts'),
      },
    ],
  },
  test: {
    include: ['{guest-ts,componentize,handlers/*}/tests/**/*.test.ts'],
    // The builder starts threads and processes from its compiled files.
    server: { deps: { external: [/\/componentize\/dist\//] } },
    restoreMocks: true,
    // A build is another process: the one that waits for it would leave a core idle.
    maxWorkers: '100%',
    // The first use of a compiler on a busy machine; nothing waits for time to pass.
    testTimeout: 60_000,
  },
});
