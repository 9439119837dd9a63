/** Collects the tests of a file, in the order they are declared, and runs them one after another. */

import { restoreAllMocks } from '@vitest/spy';

type Work = () => unknown;

interface Group {
  name: string;
  beforeEach: Work[];
  afterEach: Work[];
  parent: Group | null;
}

interface Test {
  name: string;
  group: Group;
  work: Work;
}

export interface Report {
  passed: number;
  failed: Array<{ name: string; error: string }>;
}

const group = (name: string, parent: Group | null): Group => ({ name, beforeEach: [], afterEach: [], parent });

let current = group('', null);
let tests: Test[] = [];

export async function collect(load: () => Promise<unknown>): Promise<Test[]> {
  current = group('', null);
  tests = [];
  await load();
  return tests;
}

export async function run(collected: Test[]): Promise<Report> {
  const report: Report = { passed: 0, failed: [] };
  for (const test of collected) {
    const error = await failureOf(test);
    if (error === null) {
      report.passed += 1;
    } else {
      const names = [...path(test.group).map(({ name }) => name), test.name];
      report.failed.push({ name: names.filter((name) => name !== '').join(' > '), error });
    }
  }
  return report;
}

async function failureOf({ group, work }: Test): Promise<string | null> {
  const groups = path(group);
  const errors: unknown[] = [];
  const attempt = async (step: Work) => {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  };
  for (const step of groups.flatMap(({ beforeEach }) => beforeEach)) {
    await attempt(step);
  }
  if (errors.length === 0) {
    await attempt(work);
  }
  for (const step of groups.reverse().flatMap(({ afterEach }) => [...afterEach].reverse())) {
    await attempt(step);
  }
  restoreAllMocks();
  return errors.length === 0 ? null : errors.map(describeError).join('\n');
}

function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : `threw ${JSON.stringify(error)}`;
}

/** From the file itself, which is the group without a name. */
function path(innermost: Group): Group[] {
  const groups: Group[] = [];
  for (let level: Group | null = innermost; level !== null; level = level.parent) {
    groups.unshift(level);
  }
  return groups;
}

export function addTest(name: string, work: Work): void {
  tests.push({ name, group: current, work });
}

export function addGroup(name: string, declare: Work): void {
  const outer = current;
  current = group(name, outer);
  declare();
  current = outer;
}

export const beforeEach = (work: Work) => current.beforeEach.push(work);
export const afterEach = (work: Work) => current.afterEach.push(work);
