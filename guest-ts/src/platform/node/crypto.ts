/** `node:crypto`: random values and digests. Ciphers, keys and signatures are the business of `crypto.subtle`. */

import { bytesOf, createHash, createHmac, type Data, getHashes, Hash, Hmac, hash } from '../crypto/hash.js';
import { randomBytes, randomFill, randomFillSync, randomInt, randomUUID } from '../crypto/random.js';
import { unsupported } from '../unsupported.js';

export {
  createHash,
  createHmac,
  getHashes,
  Hash,
  Hmac,
  hash,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID,
};

export const { crypto: webcrypto } = globalThis;
export const subtle = webcrypto.subtle;
export const constants = {};
export const getCiphers = (): string[] => [];
export const getRandomValues = <T extends ArrayBufferView>(array: T): T => randomFillSync(array);

/** In a time that depends on the length alone. */
export function timingSafeEqual(a: Data, b: Data): boolean {
  const [left, right] = [bytesOf(a), bytesOf(b)];
  if (left.length !== right.length) {
    const message = 'Input buffers must have the same byte length';
    throw Object.assign(new RangeError(message), { code: 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH' });
  }
  return left.reduce((difference, byte, index) => difference | (byte ^ (right[index] as number)), 0) === 0;
}

const CIPHERS = 'let a service encrypt and decrypt, and call it with fetch';
const SIGNATURES = 'use crypto.subtle.importKey, sign and verify, which the engine has';

const refused = (name: string, instead: string) => /* @__PURE__ */ unsupported(`crypto.${name}`, instead);

export const createCipheriv = /* @__PURE__ */ refused('createCipheriv', CIPHERS);
export const createDecipheriv = /* @__PURE__ */ refused('createDecipheriv', CIPHERS);
export const publicEncrypt = /* @__PURE__ */ refused('publicEncrypt', CIPHERS);
export const privateDecrypt = /* @__PURE__ */ refused('privateDecrypt', CIPHERS);
export const createSign = /* @__PURE__ */ refused('createSign', SIGNATURES);
export const createVerify = /* @__PURE__ */ refused('createVerify', SIGNATURES);
export const sign = /* @__PURE__ */ refused('sign', SIGNATURES);
export const verify = /* @__PURE__ */ refused('verify', SIGNATURES);
export const createPrivateKey = /* @__PURE__ */ refused('createPrivateKey', SIGNATURES);
export const createPublicKey = /* @__PURE__ */ refused('createPublicKey', SIGNATURES);
export const createSecretKey = /* @__PURE__ */ refused('createSecretKey', SIGNATURES);
export const generateKeyPairSync = /* @__PURE__ */ refused('generateKeyPairSync', SIGNATURES);

export default {
  Hash,
  Hmac,
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  createSign,
  createVerify,
  generateKeyPairSync,
  getCiphers,
  getHashes,
  getRandomValues,
  hash,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID,
  sign,
  subtle,
  timingSafeEqual,
  verify,
  webcrypto,
};
