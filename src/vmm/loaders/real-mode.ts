import type { RamLayout } from '../memory/ram-layout.ts';
import { FW_CFG } from '../fw-cfg/keys.ts';
import type { NamedImage } from '../options.ts';
import { isBzImage, SETUP } from './bzimage.ts';
import { firmwareLinuxItems } from './firmware-linux.ts';
import { type LoadPlan, type Segment, segment } from './plan.ts';

/** What is started by its real-mode code. */
export interface RealModeRequest {
  readonly kernel: NamedImage;
  readonly initrd: NamedImage | undefined;
  readonly append: string;
  readonly ram: RamLayout;
}

/** Whether a bzImage has no 32-bit entry: it says so by an address of 0, where Linux has that of its kernel. */
export function startsInRealMode({ bytes }: NamedImage): boolean {
  if (!isBzImage(bytes) || bytes.length < SETUP.code32Start + 4) return false;
  return bytes.subarray(SETUP.code32Start, SETUP.code32Start + 4).every((byte) => byte === 0);
}

/**
 * Do what the option ROM does under firmware: move setup code, kernel, initrd and command line, and enter the setup
 * code at its second sector. Linux Documentation/arch/x86/boot.rst, "Running the kernel".
 */
export function planRealMode({ kernel, initrd, append, ram }: RealModeRequest): LoadPlan {
  const items = firmwareLinuxItems(kernel, initrd, append, ram);
  const number = (key: number): number => {
    const bytes = items.get(key)!;
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  };
  const part = (address: number, data: number): Segment => segment(number(address), items.get(data)!);
  const [setup, commandLine] = [number(FW_CFG.setupAddress), number(FW_CFG.commandLineAddress)];
  return {
    segments: [
      part(FW_CFG.setupAddress, FW_CFG.setupData),
      part(FW_CFG.kernelAddress, FW_CFG.kernelData),
      part(FW_CFG.initrdAddress, FW_CFG.initrdData),
      part(FW_CFG.commandLineAddress, FW_CFG.commandLineData),
    ].filter(({ size }) => size > 0),
    entry: { codeSegment: (setup + SECTOR) >> 4, dataSegment: setup >> 4, sp: commandLine - setup - STACK_GAP },
  };
}

const SECTOR = 0x200;
/** The stack ends this much below the command line. */
const STACK_GAP = 16;
