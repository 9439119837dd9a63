/** Handler packages in temporary directories. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { build } from '../dist/build.js';
import { BuildError } from '../dist/build-error.js';
import { type Bundle, bundle } from '../dist/bundle.js';
import { packageModule, snapshotEntry } from '../dist/entry.js';
import type { PlatformAsks } from '../dist/platform.js';
import { findSources } from '../dist/sources.js';
import { findToolchain, type World } from '../dist/toolchain.js';

export type Files = Readonly<Record<string, string | null>>;

/** One handler, `Shop.Charge`, and nothing else. */
export const CHARGE = `import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';

export class Charge extends StepHandler {
  static handlerName = 'Shop.Charge';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ order: context.getInput('order_id') });
  }
}
`;

const SOUND: Files = {
  'package.json': '{ "name": "shop", "version": "0.1.0", "type": "module" }\n',
  'tasker.toml': 'name = "shop"\nnamespace = "shop_workflow"\n',
  'src/index.ts': CHARGE,
};

/** A sound package with the given files added or changed, those that are null left out; gone when the test ends. */
export function packageOf(changes: Files = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'tasker-package-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  write(directory, { ...SOUND, ...changes });
  return directory;
}

export function write(directory: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const file = join(directory, name);
    if (content === null) {
      rmSync(file, { force: true });
    } else {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }
}

export function bundleOf(directory: string, world: World = 'handler', asks?: PlatformAsks): Promise<Bundle> {
  return bundle({
    directory,
    name: 'shop',
    entry: snapshotEntry(world),
    packageModule: packageModule(findSources({ directory, module: null }, [])),
    toolchain: findToolchain(),
    ...(asks && { asks }),
  });
}

/** What a person reads when the package does not build. */
export async function refusal(directory: string, path = ''): Promise<string> {
  try {
    await build(join(directory, path), () => {});
  } catch (error) {
    if (error instanceof BuildError) {
      return `${error.render().replaceAll(directory, '<package>')}\n`;
    }
    throw error;
  }
  throw new Error('the package was built');
}
