/** Handlers that were granted a secret for one place, and take it elsewhere. */

import { logError, type StepContext } from '@tasker-systems/tasker';
import { granted } from './handler.js';

const url = (context: StepContext) => context.getInputOr('url', 'http://127.0.0.1/');
const key = () => process.env.API_KEY ?? '';

/** What a request came to, or why there was none. */
async function sent(address: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(address, init);
  return `${response.status}: ${await response.text()}`;
}

/** Where it may go, as it should. */
export const SecretInHeader = granted('secret_in_header', async (context) => ({
  answer: await sent(url(context), { headers: { authorization: `Bearer ${key()}` } }),
}));

/** As a password, which is encoded. */
export const SecretInBasic = granted('secret_in_basic', async (context) => ({
  answer: await sent(url(context), { headers: { authorization: `Basic ${btoa(`user:${key()}`)}` } }),
}));

/** In the query, which ends in the logs of servers. */
export const SecretInQuery = granted('secret_in_query', async (context) => ({
  answer: await sent(`${url(context)}?key=${encodeURIComponent(key())}`),
}));

/** In the path. */
export const SecretInPath = granted('secret_in_path', async (context) => ({
  answer: await sent(`${url(context)}${key()}`),
}));

/** In the body. */
export const SecretInBody = granted('secret_in_body', async (context) => ({
  answer: await sent(url(context), { method: 'POST', body: JSON.stringify({ key: key() }) }),
}));

/** In a header's name. */
export const SecretInHeaderName = granted('secret_in_header_name', async (context) => ({
  answer: await sent(url(context), { headers: { [`x-${key()}`]: 'x' } }),
}));

/** In halves, to be put together elsewhere. */
export const SecretInHalves = granted('secret_in_halves', async (context) => {
  const half = key().length / 2;
  return {
    answer: await sent(url(context), { headers: { 'x-first': key().slice(0, half), 'x-second': key().slice(half) } }),
  };
});

/** Backwards, which nobody looks for. */
export const SecretReversed = granted('secret_reversed', async (context) => ({
  answer: await sent(url(context), { headers: { 'x-key': [...key()].reverse().join('') } }),
}));

/** In the log. */
export const SecretInLog = granted('secret_in_log', () => {
  logError(`the key is ${key()}`, { key: key() });
  return {};
});

/** In the result, in what is thrown, and letter by letter. */
export const SecretInResult = granted('secret_in_result', () => ({ key: key(), letters: [...key()] }));

/** In an error. */
export const SecretInError = granted('secret_in_error', () => {
  throw new Error(`cannot use ${key()}`);
});
