/** Why a request of a disk fails, by Linux' names and numbers (asm-generic/errno-base.h, errno.h). */
const ERRNO = {
  EPERM: 1,
  EIO: 5,
  ENXIO: 6,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  ENODEV: 19,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
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

export const { EPERM, EIO, ENOSPC } = ERRNO;

export const ERRNO_NAMES = Object.keys(ERRNO) as readonly string[];

/** The number of a name; undefined: there is no such name. */
export const errnoNamed = (name: string): number | undefined =>
  Object.hasOwn(ERRNO, name) ? ERRNO[name as keyof typeof ERRNO] : undefined;

/** The name of a number, or the number. */
export const errnoName = (errno: number): string =>
  ERRNO_NAMES.find((name) => errnoNamed(name) === errno) ?? String(errno);
