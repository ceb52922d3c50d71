/** Linux' errno values (include/uapi/asm-generic/errno-base.h, errno.h). Calls return them negated. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const E2BIG = 7;
export const EBADF = 9;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOTTY = 25;
export const ENOSPC = 28;

/** Why a request of a disk fails, by name. */
const ERRNO = {
  EPERM,
  EIO,
  ENXIO,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY,
  ENODEV,
  EINVAL,
  EFBIG: 27,
  ENOSPC,
  EROFS: 30,
  ENOLINK: 67,
  EBADMSG: 74,
  EILSEQ: 84,
  ENOTSUP: 95,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
  EREMOTEIO: 121,
  EDQUOT: 122,
} as const;

export const ERRNO_NAMES = Object.keys(ERRNO) as readonly string[];

/** The number of a name; undefined: there is no such name. */
export const errnoNamed = (name: string): number | undefined =>
  Object.hasOwn(ERRNO, name) ? ERRNO[name as keyof typeof ERRNO] : undefined;

/** The name of a number, or the number. */
export const errnoName = (errno: number): string =>
  ERRNO_NAMES.find((name) => errnoNamed(name) === errno) ?? String(errno);
