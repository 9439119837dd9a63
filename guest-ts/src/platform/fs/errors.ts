/** Failures of the host's file system as Node tells them. */

/** Error code of WASI: code, number and text of Node. */
const CODES: Readonly<Record<string, readonly [code: string, errno: number, text: string]>> = {
  access: ['EACCES', -13, 'permission denied'],
  'bad-descriptor': ['EBADF', -9, 'bad file descriptor'],
  busy: ['EBUSY', -16, 'resource busy or locked'],
  'cross-device': ['EXDEV', -18, 'cross-device link not permitted'],
  exist: ['EEXIST', -17, 'file already exists'],
  'file-too-large': ['EFBIG', -27, 'file too large'],
  'insufficient-space': ['ENOSPC', -28, 'no space left on device'],
  invalid: ['EINVAL', -22, 'invalid argument'],
  io: ['EIO', -5, 'i/o error'],
  'is-directory': ['EISDIR', -21, 'illegal operation on a directory'],
  loop: ['ELOOP', -40, 'too many symbolic links encountered'],
  'name-too-long': ['ENAMETOOLONG', -36, 'name too long'],
  'no-entry': ['ENOENT', -2, 'no such file or directory'],
  'not-directory': ['ENOTDIR', -20, 'not a directory'],
  'not-empty': ['ENOTEMPTY', -39, 'directory not empty'],
  'not-permitted': ['EPERM', -1, 'operation not permitted'],
  quota: ['EDQUOT', -122, 'disk quota exceeded'],
  'read-only': ['EROFS', -30, 'read-only file system'],
  unsupported: ['ENOTSUP', -95, 'operation not supported on socket'],
};

export class FileError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string;

  /** @param explanation what a sandbox has to say beyond Node */
  constructor(wasiCode: string, syscall: string, path: string, explanation = '') {
    const [code, errno, text] = CODES[wasiCode] ?? [wasiCode.toUpperCase(), -5, wasiCode];
    super(`${code}: ${text}, ${syscall} '${path}'${explanation}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    this.path = path;
  }
}

/** Does something to a file; what the host refuses becomes a {@link FileError}. */
export function attempt<T>(syscall: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { payload } = error as { payload?: unknown };
    throw typeof payload === 'string' ? new FileError(payload, syscall, path) : error;
  }
}

/** Whether an error says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  return error instanceof FileError && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
