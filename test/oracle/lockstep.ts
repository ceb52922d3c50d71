import { parseArgs } from 'node:util';
import { Lockstep, type Walk } from './lockstep/walk.ts';
import { transplant } from './lockstep/transplant.ts';
import { qemuMissing, startStopped, type StoppedQemu } from './qemu/qemu.ts';
import { steppedMachine } from './stepped-machine.ts';

/**
 * Walk QEMU TCG, through its gdb stub, and our machine side by side and compare registers.
 * Interrupts and timers stand still on both sides while stepping; what time, devices and CPUID give
 * is taken over from QEMU and counted.
 */

const MIB = 2 ** 20;
/** Where QEMU puts the decompressor: the protected-mode kernel's load address, Linux's boot protocol. */
export const KERNEL_ENTRY = 0x100000;
const DECOMPRESSED = 0x1000000;
const ARGUMENTS = 'console=ttyS0 nokaslr panic=-1';

/** SeaBIOS from the reset vector, to its HLT at the most. */
export function walkFirmware(bios: string, steps: number, single: boolean): Walk {
  const machine = ['-m', '64', '-bios', bios, '-nodefaults'];
  const debug = ['-chardev', 'null,id=d', '-device', 'isa-debugcon,iobase=0x402,chardev=d'];
  const qemu = startStopped(['-M', 'pc,smm=off', ...machine, ...debug]);
  try {
    return new Lockstep(qemu, steppedMachine([...machine, ...debug], false)).walk(steps, single);
  } finally {
    qemu.close();
  }
}

function runTo(qemu: StoppedQemu, address: number): void {
  qemu.gdb.ask(`Z1,${address.toString(16)},1`);
  qemu.gdb.ask('c');
  qemu.gdb.ask(`z1,${address.toString(16)},1`);
}

/** The kernel from each of its entry points: its decompressor's, then the decompressed kernel's. */
export function walkKernel(kernel: string, steps: number, single: boolean, entries: readonly number[]): Walk[] {
  const memory = 128;
  const qemu = startStopped(['-M', 'pc,smm=off', '-m', String(memory), '-kernel', kernel, '-append', ARGUMENTS]);
  try {
    return entries.map((entry) => {
      runTo(qemu, entry);
      const stepped = steppedMachine(
        ['-m', String(memory), '-kernel', kernel, '-append', ARGUMENTS, '-nodefaults'],
        false,
      );
      transplant(qemu, stepped, memory * MIB);
      return new Lockstep(qemu, stepped).walk(steps, single);
    });
  } finally {
    qemu.close();
  }
}

/** A walk as a person reads it. */
export function showWalk(name: string, walk: Walk): string {
  const lines = [`${name}: ${walk.steps} instructions, compared ${walk.compared} times`];
  for (const [kind, { times, differed }] of walk.taken) {
    lines.push(`  ${kind}: result taken over from QEMU ${times} times, differed ${differed} times`);
  }
  if (walk.emptySteps > 0) lines.push(`  steps in which QEMU only polled its APIC: ${walk.emptySteps}`);
  if (walk.ended !== undefined) lines.push(`  ended at ${walk.ended}`);
  lines.push(walk.mismatch === undefined ? '  no mismatch' : `  MISMATCH\n${walk.mismatch}`);
  return lines.join('\n');
}

function main(): number {
  const { values } = parseArgs({
    options: {
      bios: { type: 'string', default: '/usr/share/seabios/bios-256k.bin' },
      kernel: { type: 'string' },
      steps: { type: 'string', default: '5000000' },
      'kernel-steps': { type: 'string', default: '1000000' },
      single: { type: 'boolean', default: false },
    },
  });
  const missing = qemuMissing();
  if (missing !== undefined) {
    console.error(`lockstep ${missing}`);
    return 2;
  }
  const { single } = values;
  const walks: [string, Walk][] = [];
  if (Number(values.steps) > 0) walks.push(['SeaBIOS', walkFirmware(values.bios, Number(values.steps), single)]);
  if (values.kernel !== undefined) {
    const walked = walkKernel(values.kernel, Number(values['kernel-steps']), single, [KERNEL_ENTRY, DECOMPRESSED]);
    for (const [at, name] of ['Linux decompressor', 'Linux early boot'].entries()) walks.push([name, walked[at]!]);
  }
  for (const [name, walk] of walks) console.log(showWalk(name, walk));
  return walks.some(([, walk]) => walk.mismatch !== undefined) ? 1 : 0;
}

if (process.argv[1]?.endsWith('lockstep.ts')) process.exit(main());
