/** The command line: `tasker-componentize build|check|watch <package>...` */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { build } from './build.js';
import { jobsFor } from './jobs.js';
import { forEachPackage } from './packages.js';
import { built, checked, seconds } from './summary.js';
import { findToolchain } from './toolchain.js';
import { watch } from './watch.js';

const USAGE = `Turns TypeScript handlers into WebAssembly components.

Usage: tasker-componentize build [--jobs <number>] <package>...
       tasker-componentize check <package>...
       tasker-componentize watch [--jobs <number>] <package>...

A package is a directory with handlers, or one module such as handler.ts. It needs no configuration; where they are
there, tasker.toml, package.json, template.yaml and tsconfig.json count.

build  makes a component of each package, unless its inputs are what they were, and writes into dist/ beside them:
         <name>.wasm            the component
         <name>.wasm.map        its source map
         <name>.manifest.json   what the host reads
check  says what is wrong with each package and what is in it, and writes nothing
watch  builds, and builds again whenever an input changes, until Ctrl-C

  -j, --jobs <number>   packages built at once (default: the cores, as far as memory goes: ${jobsFor(availableParallelism())} here)
  -h, --help            this text
  -V, --version         the versions that build components

Exit codes: 0 built, up to date or sound, 1 a package has errors, 2 wrong usage, 130 interrupted.`;

const VERBS = ['build', 'check', 'watch'];

async function main(args: readonly string[], interrupted: AbortSignal): Promise<number> {
  const parsed = parse(args);
  if (parsed === null) {
    console.error(USAGE);
    return 2;
  }
  const { verb, packages, jobs, help, version } = parsed;
  if (help || version) {
    console.log(help ? USAGE : versions());
    return 0;
  }
  const report = (line: string) => console.error(line);
  switch (verb) {
    case 'check': {
      // It loads the compiler, which what is up to date need not wait for.
      const { check } = await import('./check.js');
      return forEachPackage(packages, 1, interrupted, async (path) => {
        const started = performance.now();
        console.log(checked(await check(path, report), seconds(started)));
      });
    }
    case 'watch':
      return watch(packages, jobs, interrupted);
    default:
      return forEachPackage(packages, jobs, interrupted, async (path) => {
        const started = performance.now();
        console.log(built(await build(path, report, { signal: interrupted }), seconds(started)));
      });
  }
}

interface Parsed {
  verb: string | undefined;
  packages: string[];
  jobs: number;
  help: boolean;
  version: boolean;
}

/** Null when it makes no sense. */
function parse(args: readonly string[]): Parsed | null {
  const parsed = attempt(() =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        jobs: { type: 'string', short: 'j' },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'V', default: false },
      },
    }),
  );
  if (parsed === null) {
    return null;
  }
  const { jobs, help, version } = parsed.values;
  const [verb, ...packages] = parsed.positionals;
  const wanted = jobs === undefined ? jobsFor(packages.length) : Number(jobs);
  const sensible =
    VERBS.includes(verb ?? '') && packages.length > 0 && Number.isInteger(wanted) && wanted > 0 && wanted <= 256;
  return sensible || help || version || verb === 'help'
    ? { verb, packages, jobs: wanted, help: help || verb === 'help', version }
    : null;
}

function versions(): string {
  const { tool, sdk, engine } = findToolchain();
  return `tasker-componentize ${tool.version} (${sdk.name} ${sdk.version}, componentize-js ${engine.componentizeJs})`;
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

const interruption = new AbortController();
let signalled: NodeJS.Signals | null = null;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: whoever asks again means it.
  process.once(signal, () => {
    signalled = signal;
    interruption.abort();
  });
}
const code = await main(process.argv.slice(2), interruption.signal);
process.exitCode = signalled === null || process.argv[2] === 'watch' ? code : signalled === 'SIGINT' ? 130 : 143;
