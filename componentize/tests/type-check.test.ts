/** Type checks one after another in one process, which keeps the declarations it has parsed. */

import { expect, it } from 'vitest';
import { findToolchain } from '../dist/toolchain.js';
import { typeCheck } from '../dist/type-check.js';
import { CHARGE, packageOf, write } from './package.js';

const toolchain = findToolchain();
const errorIn = (directory: string) => typeCheck(directory, ['./src/index.ts'], false, toolchain).error?.render();

it('a declaration that changed counts in the next check', () => {
  const directory = packageOf({
    'src/index.ts': `import { price } from './prices.js';\nexport const cents: number = price;\n${CHARGE}`,
    'src/prices.js': 'export const price = 1;\n',
    'src/prices.d.ts': 'export const price: number;\n',
  });
  expect(errorIn(directory)).toBeUndefined();
  write(directory, { 'src/prices.d.ts': 'export const price: string;\n' });
  expect(errorIn(directory)).toContain("src/index.ts:2:14: Type 'string' is not assignable to type 'number'");
  write(directory, { 'src/prices.d.ts': 'export const price: number;\n' });
  expect(errorIn(directory)).toBeUndefined();
});

it('what one package declares for all the world is not there for the next', () => {
  const uses = `${CHARGE}export const region: string = REGION;\n`;
  const declares = packageOf({
    'src/index.ts': `/// <reference path="./region.d.ts" />\n${uses}`,
    'src/region.d.ts': 'declare const REGION: string;\n',
  });
  expect(errorIn(declares)).toBeUndefined();
  expect(errorIn(packageOf({ 'src/index.ts': uses }))).toContain("Cannot find name 'REGION'");
  expect(errorIn(declares)).toBeUndefined();
});

it('each package has its own compiler options', () => {
  const source = `${CHARGE}export const first = (list: number[]): number => list[0];\n`;
  const strict = '{ "compilerOptions": { "noUncheckedIndexedAccess": true } }';
  const directories = [{ 'tsconfig.json': strict }, {}, { 'tsconfig.json': strict }].map((files) =>
    packageOf({ 'src/index.ts': source, ...files }),
  );
  expect(directories.map((directory) => errorIn(directory) !== undefined)).toEqual([true, false, true]);
});
