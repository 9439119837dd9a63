/**
 * The grammar of URL patterns, `https://*.example.com:8443/v1`, by the rules of the host's own parser
 * (host/src/grants/url_pattern.rs): what passes here is read there.
 */

import { isIPv4, isIPv6 } from 'node:net';

/** What is wrong with a pattern; null when nothing is. */
export function urlPatternProblem(text: string): string | null {
  const end = text.indexOf('://');
  if (end < 0) {
    return 'it has no scheme: write https://host or http://host';
  }
  const scheme = text.slice(0, end);
  if (scheme !== 'https' && scheme !== 'http') {
    return `its scheme is ${JSON.stringify(scheme)}, expected https or http`;
  }
  const rest = text.slice(end + 3);
  const slash = rest.indexOf('/');
  const [authority, path] = slash < 0 ? [rest, '/'] : [rest.slice(0, slash), rest.slice(slash)];
  if (authority.includes('@')) {
    return 'it has a user name: credentials are granted as secrets';
  }
  if (/[?#*]/.test(path) || leadsOut(path)) {
    return `its path is ${JSON.stringify(path)}, expected the beginning of a path, without query, \`*\` and \`..\``;
  }
  const split = splitPort(authority);
  if (typeof split === 'string') {
    return split;
  }
  const [host, port] = split;
  if (port !== null && !(/^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65535)) {
    return `its port is ${JSON.stringify(port)}, expected 1 to 65535`;
  }
  return isHost(host)
    ? null
    : `its host is ${JSON.stringify(host)}, expected a name such as api.example.com, \`*.\` and a name, \`*\`, or an IP address`;
}

/** Whether a path has a segment `..` or `.`, however it is written. */
function leadsOut(path: string): boolean {
  const decoded = path
    .toLowerCase()
    .replaceAll('%2e', '.')
    .replaceAll(/%2f|%5c|\\/g, '/');
  return decoded.includes('%25') || decoded.split('/').some((segment) => /^\.\.?(?:;|$)/.test(segment));
}

/** Splits off the port of an authority; a host in brackets may have colons. A string says what is wrong. */
function splitPort(authority: string): [host: string, port: string | null] | string {
  if (authority.startsWith('[')) {
    const end = authority.indexOf(']');
    if (end < 0) {
      return 'its address has no closing bracket';
    }
    const [host, rest] = [authority.slice(0, end + 1), authority.slice(end + 1)];
    if (rest === '' || rest.startsWith(':')) {
      return [host, rest === '' ? null : rest.slice(1)];
    }
    return `${JSON.stringify(rest)} follows its address, expected a port`;
  }
  const colon = authority.indexOf(':');
  return colon < 0 ? [authority, null] : [authority.slice(0, colon), authority.slice(colon + 1)];
}

function isHost(host: string): boolean {
  if (host === '*') {
    return true;
  }
  if (host.startsWith('*.')) {
    return isName(host.slice(2));
  }
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined && isIPv6(bracketed) && !bracketed.includes('%')) {
    return true;
  }
  return isIPv4((bracketed ?? host).replace(/\.$/, '')) || isName(host);
}

/** The last label of a name is never a number: what looks like one is an address in disguise. */
function isName(name: string): boolean {
  const labels = name.replace(/\.$/, '').split('.');
  return labels.every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label)) && !/^\d/.test(labels.at(-1) ?? '');
}
