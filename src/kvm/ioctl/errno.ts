/** Linux errno values, as ioctl returns them (negated). include/uapi/asm-generic/errno-base.h. */
export const ENOENT = 2;
export const EINTR = 4;
export const ENXIO = 6;
export const E2BIG = 7;
export const EBADF = 9;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOTTY = 25;
