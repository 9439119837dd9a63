/**
 * Handlers that may send requests anywhere in the public network, and send them into the private one, in every disguise
 * an address has. Each says where it got through, or fails with the last refusal.
 */

import type { DefinedHandler } from '@tasker-systems/tasker';
import { granted } from './handler.js';

function towards(name: string, urls: readonly string[], init: RequestInit = {}): DefinedHandler {
  return granted(name, async () => {
    const through: string[] = [];
    let refusal: unknown;
    for (const url of urls) {
      try {
        const { status } = await fetch(url, init);
        through.push(`${url}: ${status}`);
      } catch (error) {
        refusal = error;
      }
    }
    if (through.length === 0) {
      throw refusal;
    }
    return { through };
  });
}

/** This machine, as everybody writes it. */
export const ToLoopback = towards('to_loopback', [
  'http://127.0.0.1/',
  'http://127.8.8.8/',
  'http://localhost/',
  'http://0.0.0.0/',
]);

/** Addresses with parts left out. */
export const ToShort = towards('to_short', ['http://127.1/', 'http://127.0.1/', 'http://0/', 'http://10.1/']);

/** Addresses as one number. */
export const ToDecimal = towards('to_decimal', ['http://2130706433/', 'http://3232235777/', 'http://2852039166/']);

/** Addresses of octal numbers. */
export const ToOctal = towards('to_octal', [
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://0251.0376.0251.0376/',
]);

/** Addresses of hexadecimal numbers. */
export const ToHex = towards('to_hex', ['http://0x7f000001/', 'http://0x7f.0.0.1/', 'http://0xa9fea9fe/']);

/** The networks inside. */
export const ToPrivate = towards('to_private', [
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://100.64.0.1/',
  'http://198.18.0.1/',
]);

/** Where clouds keep their credentials. */
export const ToMetadata = towards('to_metadata', [
  'http://169.254.169.254/latest/meta-data/',
  'http://169.254.170.2/v2/credentials',
  'http://[fd00:ec2::254]/latest/meta-data/',
]);

/** Everybody at once, and nobody. */
export const ToMulticast = towards('to_multicast', [
  'http://224.0.0.1/',
  'http://255.255.255.255/',
  'http://240.0.0.1/',
  'http://[ff02::1]/',
]);

/** Addresses of version 6. */
export const ToV6 = towards('to_v6', ['http://[::1]/', 'http://[::]/', 'http://[fe80::1]/', 'http://[fc00::1]/']);

/** Addresses of version 4, dressed as version 6. */
export const ToMapped = towards('to_mapped', [
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[::127.0.0.1]/',
  'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
]);

/** Addresses that a gateway translates. */
export const ToTranslated = towards('to_translated', [
  'http://[64:ff9b::7f00:1]/',
  'http://[64:ff9b::169.254.169.254]/',
  'http://[64:ff9b:1::10.0.0.1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:0:7f00:1::]/',
]);

/** Trailing dots. */
export const ToDotted = towards('to_dotted', ['http://127.0.0.1./', 'http://localhost./', 'http://localhost../']);

/** Capitals, full-width characters and escapes. */
export const ToDisguised = towards('to_disguised', [
  'HTTP://LOCALHOST/',
  'http://LocalHost/',
  'http://１２７.０.０.１/',
  'http://127。0。0。1/',
  'http://%6c%6f%63%61%6c%68%6f%73%74/',
  'http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/',
]);

/** A harmless name before the address, or after it. */
export const ToUserInfo = towards('to_user_info', [
  'http://example.com@127.0.0.1/',
  'http://example.com:80@127.0.0.1/',
  'http://127.0.0.1#@example.com/',
  'http://127.0.0.1?@example.com/',
  'http://127.0.0.1\\@example.com/',
]);

/** Names of the inside. */
export const ToNames = towards('to_names', [
  'http://localhost.localdomain/',
  'http://ip6-localhost/',
  'http://metadata/',
  'http://kubernetes.default.svc/',
]);

/** Ports that were not granted, of services that answer to HTTP. */
export const ToPorts = towards('to_ports', [
  'http://127.0.0.1:22/',
  'http://127.0.0.1:2375/version',
  'http://127.0.0.1:5432/',
  'http://localhost:6379/',
]);

/** Other schemes. */
export const ToSchemes = towards('to_schemes', [
  'ftp://127.0.0.1/',
  'file:///etc/passwd',
  'gopher://127.0.0.1/',
  'ws://127.0.0.1/',
]);

/** A header that would name another host than the one that was checked. */
export const ToOtherHost = towards('to_other_host', ['http://127.0.0.1/'], { headers: { host: 'example.com' } });

/** Where the caller says, following wherever it leads. */
export const Follow = granted('follow', async (context) => {
  const response = await fetch(context.getInputOr('url', 'http://127.0.0.1/'), { redirect: 'follow' });
  return { status: response.status, url: response.url, text: (await response.text()).slice(0, 100) };
});

/** As many requests as it can make. */
export const Storm = granted('storm', async (context) => {
  const url = context.getInputOr('url', 'http://127.0.0.1/');
  for (;;) {
    await fetch(url);
  }
});

/** A body without end. */
export const Upload = granted('upload', async (context) => {
  const body = new Uint8Array(1 << 20).fill(120);
  const url = context.getInputOr('url', 'http://127.0.0.1/');
  for (;;) {
    await fetch(url, { method: 'POST', body });
  }
});

/** Whatever somebody sends, all of it. */
export const Download = granted('download', async (context) => {
  const response = await fetch(context.getInputOr('url', 'http://127.0.0.1/'));
  return { bytes: (await response.arrayBuffer()).byteLength };
});
