/** System calls of Linux for x86-64, as far as they have to do with files and packets. */
import type { Gva } from '../../base/units.ts';
import { readLinear, registersOf } from '../../machine/guest-view.ts';
import { registerReader } from './named-registers.ts';
import type { Vantage } from './vantage.ts';

/** arch/x86/entry/syscalls/syscall_64.tbl. */
const NAMES: Readonly<Record<number, string>> = {
  ...{ 0: 'read', 1: 'write', 3: 'close', 7: 'poll', 16: 'ioctl', 17: 'pread64', 18: 'pwrite64', 19: 'readv' },
  ...{ 20: 'writev', 23: 'select', 34: 'pause', 35: 'nanosleep', 40: 'sendfile', 41: 'socket', 42: 'connect' },
  ...{ 43: 'accept', 44: 'sendto', 45: 'recvfrom', 46: 'sendmsg', 47: 'recvmsg', 48: 'shutdown', 49: 'bind' },
  ...{ 50: 'listen', 54: 'setsockopt', 56: 'clone', 59: 'execve', 60: 'exit', 61: 'wait4', 175: 'init_module' },
  ...{ 230: 'clock_nanosleep', 231: 'exit_group', 232: 'epoll_wait', 270: 'pselect6', 271: 'ppoll', 275: 'splice' },
  ...{ 288: 'accept4', 299: 'recvmmsg', 307: 'sendmmsg', 313: 'finit_module', 426: 'io_uring_enter' },
};

/** A system call a task is in. */
export interface SystemCall {
  readonly number: number;
  /** Where the task goes on. */
  readonly rip: Gva;
}

/** Bytes of a task's stack in the kernel, at the end of which lie its registers: THREAD_SIZE, struct pt_regs. */
const STACK = 0x4000n;
const REGISTERS = 21 * 8;
const AT = { number: 15 * 8, rip: 16 * 8, cs: 17 * 8 } as const;
const USER_CS = 0x33n;
const SYSCALL_BYTES = 2n;
/** Numbers there are, and some. */
const MOST = 1024n;

/** The call whose kernel code a processor executes; undefined: none, as far as can be seen. */
export function systemCall({ view, vcpu }: Vantage): SystemCall | undefined {
  const registers = registersOf(view, vcpu);
  if (registerReader('cpl')(registers) !== 0n) return undefined;
  const end = (registers.gpr(4) | (STACK - 1n)) + 1n;
  const bytes = readLinear(view, vcpu, BigInt.asUintN(64, end - BigInt(REGISTERS)), REGISTERS);
  if (bytes.length < REGISTERS) return undefined;
  const saved = new DataView(bytes.buffer, bytes.byteOffset);
  const number = saved.getBigUint64(AT.number, true);
  const rip = saved.getBigUint64(AT.rip, true);
  if (saved.getBigUint64(AT.cs, true) !== USER_CS || number >= MOST) return undefined;
  // An interrupt or a fault saves registers there, too.
  const before = readLinear(view, vcpu, rip - SYSCALL_BYTES, 2);
  return before[0] === 0x0f && before[1] === 0x05 ? { number: Number(number), rip } : undefined;
}

/** read, pread64, readv, sendfile, recvfrom, recvmsg, splice, recvmmsg. */
const READING: ReadonlySet<number> = new Set([0, 17, 19, 40, 45, 47, 275, 299]);

/** Whether a call gives an application bytes of a file. */
export const isReading = ({ number }: SystemCall): boolean => READING.has(number);

/** `sendto (44)`. */
export const callText = ({ number }: SystemCall): string =>
  NAMES[number] === undefined ? `system call ${number}` : `${NAMES[number]} (${number})`;
