/** What the engine lacks of the language, where it is used. */

import { defineHandler } from '@tasker-systems/tasker';

export const Language = defineHandler('platform.language', {}, async () => {
  const word = /\p{L}+/gu;
  const text = 'größe 12 ελλάδα';
  const words: string[] = [];
  for (let found = word.exec(text); found !== null; found = word.exec(text)) {
    words.push(found[0]);
  }
  const date = new Date(Date.UTC(2024, 0, 2, 15, 4, 5));
  return {
    words,
    capitals: 'aÄß'.match(/^\p{Lu}|\P{ASCII}/gu),
    insensitive: /^\p{Lu}$/iu.test('ä'),
    normal: ['e\u0301'.normalize(), 'é'.normalize('NFD').length, 'ﬁ'.normalize('NFKC')],
    sorted: ['b', 'Ä', 'a', 'C'].sort((a, b) => a.localeCompare(b)),
    number: (1234567.891).toLocaleString('en-US'),
    money: (12.5).toLocaleString('en-US', { style: 'currency', currency: 'USD' }),
    date: date.toLocaleDateString('en-US', { year: 'numeric', month: 'long', day: 'numeric', timeZone: 'UTC' }),
    time: date.toLocaleTimeString('en-US', { timeZone: 'UTC' }),
    both: new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' }).format(date),
    plural: new Intl.PluralRules('en-US', { type: 'ordinal' }).select(2),
  };
});
