/** `createHash` and `createHmac`: digests at once, where the engine's own come as promises only. */

import { hmac } from '@noble/hashes/hmac.js';
import { md5, sha1 } from '@noble/hashes/legacy.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { Buffer } from '../buffer.js';

const ALGORITHMS = { md5, sha1, sha224, sha256, sha384, sha512 } as const;

type Algorithm = (typeof ALGORITHMS)[keyof typeof ALGORITHMS];
interface Digest {
  update(data: Uint8Array): unknown;
  digest(): Uint8Array;
  clone(): Digest;
}
export type Data = string | ArrayBufferView | ArrayBuffer;

export const getHashes = (): string[] => Object.keys(ALGORITHMS);

/** Names as Node takes them: `sha256`, `SHA-256`, `RSA-SHA256`. */
function algorithm(name: string): Algorithm {
  const key = name.toLowerCase().replace(/^rsa-/, '').replace('-', '');
  const found = (ALGORITHMS as Record<string, Algorithm>)[key];
  if (found === undefined) {
    const message = `Digest method not supported: ${name}; a component has ${getHashes().join(', ')}`;
    throw Object.assign(new Error(message), { code: 'ERR_CRYPTO_INVALID_DIGEST' });
  }
  return found;
}

export function bytesOf(data: Data, encoding?: string): Uint8Array {
  if (typeof data === 'string') {
    return Buffer.from(data, encoding);
  }
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** A digest in the making. It is no stream: what is piped elsewhere is `update`d here. */
export class Hash {
  private finished = false;

  constructor(private readonly state: Digest) {}

  update(data: Data, encoding?: string): this {
    this.unfinished();
    this.state.update(bytesOf(data, encoding));
    return this;
  }

  digest(): Buffer;
  digest(encoding: string): string;
  digest(encoding?: string): Buffer | string {
    this.unfinished();
    this.finished = true;
    const bytes = Buffer.from(this.state.digest());
    return encoding === undefined || encoding === 'buffer' ? bytes : bytes.toString(encoding);
  }

  copy(): Hash {
    this.unfinished();
    return new Hash(this.state.clone());
  }

  private unfinished(): void {
    if (this.finished) {
      throw Object.assign(new Error('Digest already called'), { code: 'ERR_CRYPTO_HASH_FINALIZED' });
    }
  }
}

export { Hash as Hmac };

export function createHash(name: string): Hash {
  return new Hash(algorithm(name).create() as Digest);
}

export function createHmac(name: string, key: Data): Hash {
  return new Hash(hmac.create(algorithm(name), bytesOf(key)) as Digest);
}

export function hash(name: string, data: Data, encoding = 'hex'): string | Buffer {
  return createHash(name).update(data).digest(encoding);
}
