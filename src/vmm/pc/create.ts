import { Problem } from '../../base/problem.ts';
import type { Origin } from '../../events/origin.ts';
import type { KvmKernel } from '../../kvm/api.ts';
import { coalesceWrites } from '../accel/coalesced.ts';
import { parseCpuModel } from '../cpu/model.ts';
import { readRegister, writeRegister } from '../board/bus.ts';
import { getConfig, PCI, type PciFunctionState, romFor, ROM_REGION, type RomSetup } from '../../devices/pci/index.ts';
import { DeviceCall } from '../board/device-call.ts';
import { resetCode } from '../direct/reset-code.ts';
import { drivesOf } from '../drives/drive.ts';
import { firmwareItems } from '../fw-cfg/items.ts';
import type { VmmHost } from '../host.ts';
import { enterKvmRun } from '../accel/kvm-reset.ts';
import { createInterruptRoutes, createTimer, createVm } from '../accel/kvm-setup.ts';
import { type Board, type HostRanges, Machine, type Part } from '../board/machine.ts';
import { backends, driverOf } from '../models.ts';
import type { MachineOptions } from '../options.ts';
import type { TracedKvm } from '../accel/traced-kvm.ts';
import { OPTION_ROM_SIZE, romName } from './memory-map.ts';
import { pcParts } from './parts.ts';
import { powerOn } from './power-on.ts';
import { ramLayout } from './ram-layout.ts';
import { remap } from './remap.ts';
import { wakeUp } from './wake-up.ts';

/** Build a `pc` machine through KVM's ioctls and leave it ready for the first instruction. */
export function buildMachine(kernel: KvmKernel, options: MachineOptions, host: VmmHost, origin: Origin): Board {
  checkOptions(options);
  const model = options.cpu === undefined ? undefined : parseCpuModel(options.cpu);
  const caller: TracedKvm = { kvm: kernel.calledBy(origin), raise: (event) => origin.raise(event) };
  const { fds, processorId } = createVm(caller, options.smp, model);
  const ram = ramLayout(options.memory * 2 ** 20);
  const parts = pcParts(host.config, firmwareItems(options, processorId));
  const board: Board = {
    type: { remap, powerOn, wakeUp },
    host,
    kernel,
    options,
    ram,
    parts,
    drives: drivesOf(host.config.drives, options.disks),
    hva: { ...hostRanges(host, options, ram.total, origin), roms: hostRoms(host, parts, options.deviceRoms, origin) },
    fds,
    processorId,
    registers: { read: readRegister, write: writeRegister },
    delivering: new Set(),
    memoryView: [],
    ioView: [],
  };
  const machine = new Machine(board, origin);
  remap(machine, 'ram');
  createInterruptRoutes(machine, fds.vm);
  remap(machine, 'firmware');
  remap(machine);
  createTimer(machine, fds.vm);
  coalesceWrites(machine);
  // QEMU makes networks before the cards on their wires.
  for (const part of [...board.parts.filter(isNetwork), ...board.parts.filter((each) => !isNetwork(each))]) {
    part.device.powerOn?.(machine.stateOf(part), new DeviceCall(machine, part));
  }
  powerOn(machine);
  enterKvmRun(machine);
  return board;
}

/** Backends, and bridges of the modelled Linux. */
const isNetwork = ({ model }: Part): boolean => backends().some(([backend]) => backend === model) || model === 'bridge';

type Allocate = (fd: string, len: number) => number;

const allocator =
  (host: VmmHost, origin: Origin): Allocate =>
  (fd, len) => {
    const hva = host.nextHva;
    origin.raise({ kind: 'sim:mmap', fd, len, hva });
    return hva;
  };

function hostRanges(host: VmmHost, options: MachineOptions, ramSize: number, origin: Origin): Omit<HostRanges, 'roms'> {
  const allocate = allocator(host, origin);
  const firmware = options.bios?.bytes ?? resetCode();
  const ranges = {
    ram: allocate('pc.ram', ramSize),
    bios: allocate('pc.bios', firmware.length),
    optionRom: allocate('pc.rom', OPTION_ROM_SIZE),
  };
  host.memoryFor(origin).writeHost(ranges.bios, firmware);
  return ranges;
}

/** The ROM of a function: one that QEMU gives such devices by itself is for whichever this is. */
function romOf({ model, pci, atReset }: Part, file: Uint8Array): Uint8Array {
  const { romfile } = (pci?.setup ?? {}) as Partial<RomSetup>;
  if (romfile === undefined || romfile !== driverOf(model).romfile) return file;
  const { config } = atReset() as PciFunctionState;
  return romFor(file, { vendorId: getConfig(config, PCI.vendorId, 2), deviceId: getConfig(config, PCI.deviceId, 2) });
}

/** Host memory for the regions of devices that are read-only memory. */
function hostRoms(
  host: VmmHost,
  parts: readonly Part[],
  given: MachineOptions['deviceRoms'],
  origin: Origin,
): HostRanges['roms'] {
  const allocate = allocator(host, origin);
  const roms = new Map<string, number>();
  for (const part of parts) {
    for (const [at, { name, content }] of part.device.regions.entries()) {
      if (content === undefined) continue;
      const hva = allocate(`${part.name}.${name}`, content.length);
      host.memoryFor(origin).writeHost(hva, content);
      const file = name === ROM_REGION ? given?.get(part.name) : undefined;
      if (file !== undefined) host.memoryFor(origin).writeHost(hva, romOf(part, file).subarray(0, content.length));
      roms.set(romName(part, at), hva);
    }
  }
  return roms;
}

function checkOptions(options: MachineOptions): void {
  const { memory, smp, bios, kernel, initrd } = options;
  if (!Number.isInteger(memory) || memory < 2)
    throw new Problem(`-m ${memory}: a machine needs 2 MiB of memory or more.`);
  if (!Number.isInteger(smp) || smp < 0 || smp > CPUS_LIMIT) {
    throw new Problem(`-smp ${smp}: this machine has 1 to ${CPUS_LIMIT} processors.`);
  }
  if (bios !== undefined && (bios.bytes.length === 0 || bios.bytes.length % 0x10000 !== 0)) {
    throw new Problem(`${bios.name} has ${bios.bytes.length} bytes; a BIOS image is a multiple of 64 KiB.`);
  }
  if (bios !== undefined && bios.bytes.length > BIOS_LIMIT) {
    throw new Problem(`${bios.name} has ${bios.bytes.length} bytes; a BIOS image has at most 8 MiB.`);
  }
  if (kernel === undefined && bios === undefined && smp > 0)
    throw new Problem('There is nothing to run: give -kernel or -bios.');
  if (kernel === undefined && initrd !== undefined) throw new Problem('-initrd needs -kernel.');
}

const CPUS_LIMIT = 4;
const BIOS_LIMIT = 8 * 2 ** 20;
