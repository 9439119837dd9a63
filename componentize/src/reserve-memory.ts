/**
 * Makes the tools inside componentize-js five times faster. They are WebAssembly modules that read a component of
 * 10 MB into a tree, growing their memory to 700 MB a few pages at a time, and with each growth V8 sets the permissions
 * of the whole memory anew. A block as big as they will need, allocated and given back at once, is one growth.
 */

const BLOCK_BYTES = 640 * 1024 ** 2;
const ALIGNMENT = 8;
/** What a block is cut back to: to free one is not among a module's exports. */
const REST_BYTES = 8;

type Reallocate = (pointer: number, oldBytes: number, alignment: number, newBytes: number) => number;
type Exports = Record<string, unknown>;

/** As far as it is used here; Node's types leave it out. */
interface WebAssemblyApi {
  instantiate(module: unknown, imports?: unknown): Promise<{ exports: Exports }>;
}

/** @param load imports modules that instantiate such tools */
export async function withReservedMemory<T>(load: () => Promise<T>): Promise<T> {
  const { WebAssembly: api } = globalThis as unknown as { WebAssembly: WebAssemblyApi };
  const { instantiate } = api;
  api.instantiate = async (module, imports) => {
    const instance = await instantiate(module, imports);
    reserve(instance.exports);
    return instance;
  };
  try {
    return await load();
  } finally {
    api.instantiate = instantiate;
  }
}

function reserve({ cabi_realloc }: Exports): void {
  if (typeof cabi_realloc !== 'function') {
    return;
  }
  const reallocate = cabi_realloc as Reallocate;
  try {
    reallocate(reallocate(0, 0, ALIGNMENT, BLOCK_BYTES), BLOCK_BYTES, ALIGNMENT, REST_BYTES);
  } catch {
    // So little memory is left that the module traps: it may still do with less, slowly.
  }
}
