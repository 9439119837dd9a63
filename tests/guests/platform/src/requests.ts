/** Requests that are redirected, and clients that are built on `fetch`. */

import { defineHandler } from '@tasker-systems/tasker';
import axios from 'axios';

const shown = async (response: Response) => ({
  status: response.status,
  redirected: response.redirected,
  url: response.url,
  text: await response.text(),
});
const refusal = (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`;

export const Requests = defineHandler(
  'platform.requests',
  { inputs: { url: 'url', elsewhere: 'elsewhere' } },
  async ({ url, elsewhere }) => {
    const to = (path: string) => `${url}${path}`;
    const post = {
      method: 'POST',
      body: 'a body',
      headers: { authorization: 'Bearer x', 'content-type': 'text/plain' },
    };
    return {
      direct: await shown(await fetch(to('/echo'))),
      found: await shown(await fetch(to('/302/echo'), post)),
      seeOther: await shown(await fetch(to('/303/echo'), { ...post, method: 'PUT' })),
      kept: await shown(await fetch(to('/307/echo'), post)),
      request: await shown(await fetch(new Request(to('/308/echo'), post))),
      twice: await shown(await fetch(to('/301/302/echo'))),
      elsewhere: await shown(await fetch(to(`/to/${elsewhere}/echo`), post)),
      manual: await shown(await fetch(to('/302/echo'), { redirect: 'manual' })),
      error: await fetch(to('/302/echo'), { redirect: 'error' }).catch(refusal),
      endless: await fetch(to('/endless')).catch(refusal),
      axios: await axios
        .post(to('/echo'), { a: 1 }, { headers: { 'x-test': 'yes' } })
        .then(({ status, data }) => ({ status, data }))
        .catch(refusal),
      axiosRedirected: await axios
        .get(to('/302/echo'))
        .then(({ status, data }) => ({ status, data }))
        .catch(refusal),
      axiosRefused: await axios.get(to('/404')).catch((error) => [error.name, error.code, error.response?.status]),
    };
  },
);
