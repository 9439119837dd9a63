/**
 * `Response.clone`, which the engine lacks. A body is read once: both halves of a divided one go into new responses, and
 * the original reads from the first of them.
 */

const READERS = ['arrayBuffer', 'blob', 'formData', 'json', 'text'] as const;

export function cloneOf(response: Response): Response {
  const { body, bodyUsed, status, statusText, headers, url, redirected } = response;
  if (bodyUsed || body?.locked) {
    throw new TypeError('Response.clone: the body has already been read');
  }
  const [own, other] = body?.tee() ?? [null, null];
  const kept = new Response(own, { status, statusText, headers });
  Object.defineProperties(response, {
    body: { get: () => kept.body, configurable: true },
    bodyUsed: { get: () => kept.bodyUsed, configurable: true },
    ...Object.fromEntries(READERS.map((name) => [name, { value: () => kept[name](), configurable: true }])),
  });
  const clone = new Response(other, { status, statusText, headers });
  return Object.defineProperties(clone, { url: { value: url }, redirected: { value: redirected } });
}
