/** Where the events of a component go that was granted them. */

export const hostEvents = {
  published: [] as unknown[],
};

export function publish(event: unknown): string {
  hostEvents.published.push(event);
  return '0198a000-0000-7000-8000-000000000009';
}
