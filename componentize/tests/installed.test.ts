/**
 * What an author does who has none of this repository: installs the two packages from npm, writes one file, builds it
 * from where it is, and runs it. It needs the npm registry, or npm's cache of it; about half a minute on two idle cores.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { repository } from './support/component.js';

const HOST = process.env.TASKER_WASM_HOST ?? join(repository, 'target/debug/tasker-wasm-host');
/** Of this the host takes half: it compiles a component it has never seen, unoptimised itself. */
const TIMEOUT_MS = 300_000;

const HANDLER = `import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

export class Greet extends StepHandler {
  static handlerName = 'Hello.Greet';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ greeting: \`Hello, \${context.getInputOr('name', 'world')}!\` });
  }
}
`;
const TEMPLATE = `name: hello
namespace_name: hello
version: 1.0.0
steps:
  - name: greet
    handler:
      callable: Hello.Greet
`;

const run = promisify(execFile);

it(
  'a single file builds and runs where only the published packages are installed',
  async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'tasker-installed-')));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    // PostgreSQL does not run as root: the user it runs as then has to get in.
    chmodSync(root, 0o755);
    const inRoot = (name: string) => {
      mkdirSync(join(root, name));
      return join(root, name);
    };
    const packed = inRoot('packed');
    const workspaces = ['--workspace', 'guest-ts', '--workspace', 'componentize'];
    await run('npm', ['pack', '--silent', '--offline', '--pack-destination', packed, ...workspaces], {
      cwd: repository,
    });
    const archives = readdirSync(packed).map((name) => join(packed, name));
    expect(archives).toHaveLength(2);

    const installed = inRoot('installed');
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...archives], { cwd: installed });
    const author = inRoot('installed/handlers');
    writeFileSync(join(author, 'handler.ts'), HANDLER);
    writeFileSync(join(author, 'template.yaml'), TEMPLATE);
    const command = join(installed, 'node_modules/.bin/tasker-componentize');
    const { stdout } = await run(command, ['build', 'handlers/handler.ts'], { cwd: installed });
    expect(stdout).toMatch(/^handler: built handlers\/dist\/handler\.wasm in .*\n {2}namespace {7}hello\n/);

    if (!existsSync(HOST)) {
      console.warn(`built, but not run: there is no ${HOST}; \`make host\` builds it, TASKER_WASM_HOST names another`);
      return;
    }
    // A cache and a database of its own.
    const { DATABASE_URL: _, ...inherited } = process.env;
    const env = { ...inherited, HOME: root, XDG_DATA_HOME: join(root, 'data'), XDG_CACHE_HOME: join(root, 'cache') };
    const host = spawn(HOST, ['run', '--components', join(author, 'dist'), '--templates', author], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    onTestFinished(() => void host.kill('SIGKILL'));
    await ready(host);
    const task = ['task', 'create', 'hello', '--namespace', 'hello', '--context', '{"name":"author"}', '--wait'];
    expect((await run(HOST, task, { env })).stdout).toContain('"greeting": "Hello, author!"');
    host.kill('SIGTERM');
    expect(await once(host, 'exit')).toEqual([0, null]);
  },
  TIMEOUT_MS,
);

/** Resolves when the host claims steps; rejects with what it said when it ends before. */
function ready(host: ChildProcess): Promise<void> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    createInterface({ input: host.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line);
      if (line.includes('ready: claiming steps')) {
        resolve();
      }
    });
    host.once('exit', () => reject(new Error(`the host ended:\n${lines.join('\n')}`)));
  });
}
