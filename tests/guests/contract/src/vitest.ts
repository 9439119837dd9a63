/**
 * What the SDK's tests import from vitest, in a component: vitest's own `expect` and spies, and a runner that needs
 * neither processes nor files. A name that is missing here fails the bundling of the tests.
 */

import {
  ASYMMETRIC_MATCHERS_OBJECT,
  customMatchers,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import { fn, spyOn } from '@vitest/spy';
import * as chai from 'chai';
import { addGroup, addTest } from './runner.js';

export { afterEach, beforeEach } from './runner.js';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

const globals = globalThis as unknown as Record<symbol, object>;

export const expect = ((value: unknown, message?: string) =>
  chai.expect(value, message)) as unknown as Chai.ExpectStatic;
Object.assign(expect, chai.expect, globals[ASYMMETRIC_MATCHERS_OBJECT]);
globals[GLOBAL_EXPECT] = expect;
setState({ assertionCalls: 0, isExpectingAssertions: false, expectedAssertionsNumber: null }, expect as never);
(chai.expect as unknown as { extend(target: unknown, matchers: object): void }).extend(expect, customMatchers);

export const vi = { fn, spyOn, mocked: <T>(spied: T): T => spied };

type Body = (...args: never[]) => unknown;

/** `each` takes a list of arguments, or of lists of them. */
function declarer(add: (name: string, body: () => unknown) => void) {
  const each = (rows: readonly unknown[]) => (name: string, body: Body) => {
    for (const row of rows) {
      const args = Array.isArray(row) ? row : [row];
      add(format(name, args), () => body(...(args as never[])));
    }
  };
  return Object.assign(add, { each });
}

export const describe = declarer(addGroup);
export const it = declarer(addTest);
export const test = it;

function format(name: string, args: readonly unknown[]): string {
  let next = 0;
  return name.replace(/%[sdifj]/g, (place) => {
    const value = args[next++];
    return place === '%j' || (typeof value === 'object' && value !== null)
      ? (JSON.stringify(value) ?? '')
      : String(value);
  });
}
