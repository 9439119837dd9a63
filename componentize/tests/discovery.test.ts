/** Which modules count as handlers, and what a package is called that says nothing about itself. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { check } from '../dist/check.js';
import { CHARGE, type Files, packageOf } from './package.js';

/** Nothing but modules: no tasker.toml, no package.json. */
const BARE: Files = { 'package.json': null, 'tasker.toml': null, 'src/index.ts': null };
const SHIP = CHARGE.replaceAll('Charge', 'Ship');

async function found(files: Files, path = ''): Promise<string[]> {
  const { handlers } = await check(join(packageOf({ ...BARE, ...files }), path), () => {});
  return handlers.map(({ name }) => name);
}

describe('a package without configuration', () => {
  it('may be one module, which is called as its file', async () => {
    const directory = packageOf({ ...BARE, 'Charge Card.ts': CHARGE, 'other.ts': 'export const wrong: string = 1;' });
    expect(await check(join(directory, 'Charge Card.ts'), () => {})).toMatchObject({
      name: 'charge-card',
      namespace: 'default',
      handlers: [{ name: 'Shop.Charge' }],
      initialization: { mode: 'snapshot' },
    });
  });

  it('may be a directory, which is called as its package.json says', async () => {
    const directory = packageOf({ ...BARE, 'package.json': '{ "name": "@acme/Payments" }', 'handler.ts': CHARGE });
    expect(await check(directory, () => {})).toMatchObject({ name: 'payments', handlers: [{ name: 'Shop.Charge' }] });
  });

  it('has the namespace of its template', async () => {
    const template = 'name: pay\nnamespace_name: payments\nsteps: []\n';
    const directory = packageOf({ ...BARE, 'handler.ts': CHARGE, 'template.yaml': template });
    expect(await check(join(directory, 'handler.ts'), () => {})).toMatchObject({ namespace: 'payments' });
  });
});

describe('handlers are searched for', () => {
  it('in the index modules of examples and of functions', async () => {
    const files = {
      'src/examples/index.ts': CHARGE,
      'src/dsl_examples/index.ts': SHIP,
      'src/index.ts': CHARGE.replaceAll('Charge', 'Unseen'),
    };
    expect(await found(files)).toEqual(['Shop.Charge', 'Shop.Ship']);
  });

  it('in the arrays ALL_EXAMPLE_HANDLERS and ALL_DSL_HANDLERS where a module has them', async () => {
    const index = `import { Charge } from './charge.js';
import { Ship } from './ship.js';
export * from './unlisted.js';
export const ALL_EXAMPLE_HANDLERS = [Charge];
export const ALL_DSL_HANDLERS = [Ship];
`;
    const unlisted = CHARGE.replaceAll('Charge', 'Unlisted');
    expect(await found({ 'index.ts': index, 'charge.ts': CHARGE, 'ship.ts': SHIP, 'unlisted.ts': unlisted })).toEqual([
      'Shop.Charge',
      'Shop.Ship',
    ]);
  });

  it('everywhere when the index modules hold none', async () => {
    expect(await found({ 'src/index.ts': 'export const version = 1;\n', 'src/charge.ts': CHARGE })).toEqual([
      'Shop.Charge',
    ]);
  });

  it('not in what is private, hidden, installed, built, a test or configuration', async () => {
    expect(
      await found({
        'handler.ts': CHARGE,
        '_shared/ship.ts': SHIP,
        '.cache/ship.ts': SHIP,
        'node_modules/ship/index.ts': SHIP,
        'dist/ship.js': SHIP,
        'tests/ship.ts': SHIP,
        'handler.spec.ts': SHIP,
        'vitest.config.ts': SHIP,
        'types.d.ts': 'export {};\n',
      }),
    ).toEqual(['Shop.Charge']);
  });

  it('in what is made of functions, and in what a register function registers', async () => {
    const source = `import { defineHandler, type HandlerRegistry, StepHandler } from '@tasker-systems/tasker';
export const Refund = defineHandler('Shop.Refund', {}, async () => ({}));
class Ship extends StepHandler {
  static handlerName = 'Shop.Ship';
  async call() {
    return this.success({});
  }
}
export function registerShopHandlers(registry: HandlerRegistry): void {
  registry.register(Ship.handlerName, Ship);
}
`;
    expect(await found({ 'handler.ts': source })).toEqual(['Shop.Refund', 'Shop.Ship']);
  });

  it('by path where a template names a module so', async () => {
    const template = `name: pay\nsteps:\n${['./ship.js', '../src/ship'].map((callable) => `  - name: s\n    handler:\n      callable: ${callable}\n`).join('')}`;
    const unlisted = 'export const version = 1;\n';
    const files = { 'src/index.ts': `${unlisted}${CHARGE}`, 'src/ship.ts': SHIP, 'template.yaml': template };
    expect(await found(files)).toEqual(['Shop.Charge', './ship.js', '../src/ship']);
    // A module that is not there is a handler that is not there.
    await expect(found({ ...files, 'src/ship.ts': null })).rejects.toThrow('names handlers the package does not have');
  });

  it('not at all where a template leaves it to a resolver of the package, whose callables it lists', async () => {
    const source = `import { type HandlerRegistry, RegistryResolver } from '@tasker-systems/tasker';
class Prices extends RegistryResolver {
  static override _name = 'prices';
  static override prefix = 'price:';
  async resolveHandler() {
    return null;
  }
}
export function registerPriceHandlers(registry: HandlerRegistry): void {
  void registry.addResolver(new Prices());
}
`;
    const step = (method: string) =>
      `  - name: s\n    handler:\n      callable: "price:1.19"\n      resolver: prices\n${method}`;
    const template = `name: pay\nsteps:\n${step('')}${step('      method: net\n')}`;
    const directory = packageOf({ ...BARE, 'src/index.ts': source, 'template.yaml': template });
    expect((await check(directory, () => {})).handlers).toMatchObject([
      { name: 'price:1.19', version: '1.0.0', capabilities: ['process'], methods: ['call', 'net'] },
    ]);
  });
});
