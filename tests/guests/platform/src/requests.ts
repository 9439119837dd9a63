/** Requests that are redirected, and a client that is built on `fetch`. */

import { defineHandler } from '@tasker-systems/tasker';
import axios from 'axios';

const shown = async (response: Response) => ({
  status: response.status,
  redirected: response.redirected,
  url: response.url,
  text: await response.text(),
});
const refusal = (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`;

/** `url` and `elsewhere` are servers; `/redirect-to/URL` of either redirects there. */
export const Requests = defineHandler(
  'platform.requests',
  { inputs: { url: 'url', elsewhere: 'elsewhere', ungranted: 'ungranted' } },
  async ({ url, elsewhere, ungranted }) => {
    const lookedUp = (globalThis as unknown as Record<string, typeof fetch>)[['fet', 'ch'].join('')] as typeof fetch;
    const through = (target: unknown) => `${url}/redirect-to/${target}/end`;
    const headers = { authorization: 'Bearer x', 'content-type': 'text/plain', 'x-own': 'kept' };
    const post: RequestInit = { method: 'POST', body: 'a body', headers };
    return {
      direct: await shown(await fetch(`${url}/direct`)),
      followed: await shown(await fetch(through(url), post)),
      request: await shown(await fetch(new Request(through(url), post))),
      elsewhere: await shown(await fetch(through(elsewhere), { headers })),
      looked_up: await shown(await lookedUp(through(url))),
      manual: await shown(await fetch(through(url), { redirect: 'manual' })),
      error: await fetch(through(url), { redirect: 'error' }).catch(refusal),
      ungranted: await fetch(through(ungranted)).catch(refusal),
      axios: await axios.post(`${url}/axios`, { a: 1 }, { headers: { 'x-own': 'axios' } }).then(({ data }) => data),
      axios_followed: await axios.get(through(url)).then(({ status, data }) => ({ status, data })),
    };
  },
);
