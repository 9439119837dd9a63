/** `node:fs/promises`: files of the granted directories. */

import { appendFileSync, readFileSync, writeFileSync } from '../../fs/content.js';
import {
  accessSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
} from '../../fs/entries.js';
import { promised } from '../../fs/promised.js';

export const access = /* @__PURE__ */ promised(accessSync);
export const appendFile = /* @__PURE__ */ promised(appendFileSync);
export const copyFile = /* @__PURE__ */ promised(copyFileSync);
export const lstat = /* @__PURE__ */ promised(lstatSync);
export const mkdir = /* @__PURE__ */ promised(mkdirSync);
export const mkdtemp = /* @__PURE__ */ promised(mkdtempSync);
export const readFile = /* @__PURE__ */ promised(readFileSync);
export const readdir = /* @__PURE__ */ promised(readdirSync);
export const realpath = /* @__PURE__ */ promised(realpathSync);
export const rename = /* @__PURE__ */ promised(renameSync);
export const rm = /* @__PURE__ */ promised(rmSync);
export const rmdir = /* @__PURE__ */ promised(rmdirSync);
export const stat = /* @__PURE__ */ promised(statSync);
export const truncate = /* @__PURE__ */ promised(truncateSync);
export const unlink = /* @__PURE__ */ promised(unlinkSync);
export const writeFile = /* @__PURE__ */ promised(writeFileSync);

export { constants };

export default {
  access,
  appendFile,
  constants,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  truncate,
  unlink,
  writeFile,
};
