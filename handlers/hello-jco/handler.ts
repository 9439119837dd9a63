/**
 * A handler component without the SDK: one module that exports the WIT interface `handlers` as it is. jco makes a
 * component of it alone, and the host serves its handlers in the namespace `default`.
 */

interface StepContext {
  handler: { callable: string; method?: string; resolver?: string };
  /** The step event, JSON text. */
  event: string;
}

const GREET = 'Hello.Greet';

export const handlers = {
  describe() {
    return {
      sdk: { name: 'none', version: '0.0.0', language: 'typescript' },
      handlers: [
        { name: GREET, version: '1.0.0', capabilities: ['process'], methods: ['call'], configSchema: undefined },
      ],
    };
  },

  handle(context: StepContext) {
    if (context.handler.callable !== GREET) {
      // A thrown value that is no Error becomes the `err` of the WIT result.
      throw { tag: 'handler-not-found', val: context.handler.callable };
    }
    const { name = 'world' } = JSON.parse(context.event).task?.context ?? {};
    return {
      tag: 'success',
      val: { result: JSON.stringify({ greeting: `Hello, ${name}!` }), metadata: '{}' },
    };
  },
};
