import { expect, it } from 'vitest';
import { adaptBindings } from '../dist/bindings.js';

it('bindings of another shape than expected are refused, with the file to look at', () => {
  expect(() => adaptBindings('export function handle() {}')).toThrow('componentize/src/bindings.ts');
});
