import { expect, it } from 'vitest';
import { jobsFor, Slots } from '../dist/jobs.js';

it('at least one package is built at a time, and no more than there are', () => {
  expect(jobsFor(0)).toBe(1);
  expect(jobsFor(1)).toBe(1);
  expect(jobsFor(1000)).toBeLessThan(1000);
});

it('slots are given in the order they were asked for, and back when work fails', async () => {
  const slots = new Slots(2);
  const log: string[] = [];
  const start = (name: string) => {
    let open = (_failure?: Error) => {};
    const gate = new Promise<void>((resolve, reject) => {
      open = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
    const done = slots.use(async () => {
      log.push(`${name} starts`);
      await gate;
      log.push(`${name} ends`);
    });
    return { open, done };
  };
  const [a, b, c, d] = [start('a'), start('b'), start('c'), start('d')];
  expect(log).toEqual(['a starts', 'b starts']);
  b.open(new Error('broken'));
  await expect(b.done).rejects.toThrow('broken');
  c.open();
  await c.done;
  a.open();
  d.open();
  await Promise.all([a.done, d.done]);
  expect(log).toEqual(['a starts', 'b starts', 'c starts', 'c ends', 'd starts', 'a ends', 'd ends']);
});
