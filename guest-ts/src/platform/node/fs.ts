/**
 * `node:fs`: files of the granted directories. Nothing is opened for longer than a call: there are no file descriptors,
 * and nothing watches for changes.
 */

import { appendFileSync, readFileSync, writeFileSync } from '../fs/content.js';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
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
} from '../fs/entries.js';
import { withCallback } from '../fs/promised.js';
import { Dirent, Stats } from '../fs/stats.js';
import { createReadStream, createWriteStream } from '../fs/streams.js';
import * as promises from './fs/promises.js';

export const access = /* @__PURE__ */ withCallback(accessSync);
export const appendFile = /* @__PURE__ */ withCallback(appendFileSync);
export const copyFile = /* @__PURE__ */ withCallback(copyFileSync);
export const lstat = /* @__PURE__ */ withCallback(lstatSync);
export const mkdir = /* @__PURE__ */ withCallback(mkdirSync);
export const mkdtemp = /* @__PURE__ */ withCallback(mkdtempSync);
export const readFile = /* @__PURE__ */ withCallback(readFileSync);
export const readdir = /* @__PURE__ */ withCallback(readdirSync);
export const realpath = /* @__PURE__ */ withCallback(realpathSync);
export const rename = /* @__PURE__ */ withCallback(renameSync);
export const rm = /* @__PURE__ */ withCallback(rmSync);
export const rmdir = /* @__PURE__ */ withCallback(rmdirSync);
export const stat = /* @__PURE__ */ withCallback(statSync);
export const truncate = /* @__PURE__ */ withCallback(truncateSync);
export const unlink = /* @__PURE__ */ withCallback(unlinkSync);
export const writeFile = /* @__PURE__ */ withCallback(writeFileSync);

export {
  accessSync,
  appendFileSync,
  constants,
  copyFileSync,
  createReadStream,
  createWriteStream,
  Dirent,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  promises,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  Stats,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
};

export default {
  Dirent,
  Stats,
  access,
  accessSync,
  appendFile,
  appendFileSync,
  constants,
  copyFile,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  lstat,
  lstatSync,
  mkdir,
  mkdirSync,
  mkdtemp,
  mkdtempSync,
  promises,
  readFile,
  readFileSync,
  readdir,
  readdirSync,
  realpath,
  realpathSync,
  rename,
  renameSync,
  rm,
  rmSync,
  rmdir,
  rmdirSync,
  stat,
  statSync,
  truncate,
  truncateSync,
  unlink,
  unlinkSync,
  writeFile,
  writeFileSync,
};
