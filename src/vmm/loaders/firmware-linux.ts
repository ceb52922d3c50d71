import { number } from '../fw-cfg/number.ts';
import { FW_CFG } from '../fw-cfg/keys.ts';
import type { NamedImage } from '../options.ts';
import type { RamLayout } from '../memory/ram-layout.ts';
import { checkFits, commandLineBytes, initrdAddress, KERNEL_ADDRESS, parseBzImage, SETUP } from './bzimage.ts';

/**
 * The fw_cfg items by which an option ROM boots a bzImage: setup code with its header filled in, kernel, initrd,
 * command line, and where each goes. QEMU's x86_load_linux.
 */
export function firmwareLinuxItems(
  kernel: NamedImage,
  initrd: NamedImage | undefined,
  append: string,
  ram: RamLayout,
): ReadonlyMap<number, Uint8Array> {
  const image = parseBzImage(kernel);
  checkFits(image, initrd, ram);
  const commandLine = commandLineBytes(image, append);
  const initrdAt = initrd === undefined ? 0 : initrdAddress(image, initrd, ram);
  const initrdBytes = initrd?.bytes ?? new Uint8Array();
  const setup = image.setup.slice();
  const header = new DataView(setup.buffer);
  header.setUint8(SETUP.typeOfLoader, LOADER_QEMU);
  header.setUint8(SETUP.loadflags, image.setup[SETUP.loadflags]! | CAN_USE_HEAP);
  header.setUint16(SETUP.heapEndPtr, COMMAND_LINE_ADDRESS - SETUP_ADDRESS - 0x200, true);
  header.setUint32(SETUP.cmdLinePtr, COMMAND_LINE_ADDRESS, true);
  header.setUint32(SETUP.ramdiskImage, initrdAt, true);
  header.setUint32(SETUP.ramdiskSize, initrdBytes.length, true);
  return new Map([
    [FW_CFG.setupAddress, number(SETUP_ADDRESS, 4)],
    [FW_CFG.setupSize, number(setup.length, 4)],
    [FW_CFG.setupData, setup],
    [FW_CFG.kernelAddress, number(KERNEL_ADDRESS, 4)],
    [FW_CFG.kernelSize, number(image.protectedMode.length, 4)],
    [FW_CFG.kernelData, image.protectedMode],
    [FW_CFG.initrdAddress, number(initrdAt, 4)],
    [FW_CFG.initrdSize, number(initrdBytes.length, 4)],
    [FW_CFG.initrdData, initrdBytes],
    [FW_CFG.commandLineAddress, number(COMMAND_LINE_ADDRESS, 4)],
    [FW_CFG.commandLineSize, number(commandLine.length, 4)],
    [FW_CFG.commandLineData, commandLine],
  ]);
}

const SETUP_ADDRESS = 0x10000;
const COMMAND_LINE_ADDRESS = 0x20000;
/** Loader type 0xb0: QEMU. Linux Documentation/arch/x86/boot.rst, `type_of_loader`. */
const LOADER_QEMU = 0xb0;
const CAN_USE_HEAP = 0x80;
