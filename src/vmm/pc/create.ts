import { Problem } from '../../base/problem.ts';
import type { Kvm } from '../../kvm/api.ts';
import { registerBus } from '../bus.ts';
import { coalesceWrites } from '../coalesced.ts';
import { parseCpuModel } from '../cpu-model.ts';
import { resetCode } from '../direct/reset-code.ts';
import { effectsOf } from '../effects.ts';
import type { VmmHost } from '../host.ts';
import { createInterruptRoutes, createTimer, createVm } from '../kvm-setup.ts';
import type { HostRanges, Machine, VmmState } from '../machine.ts';
import type { AddressSpace } from '../memory/address-space.ts';
import type { MachineOptions } from '../options.ts';
import { OPTION_ROM_SIZE } from './memory-map.ts';
import { pcParts } from './parts.ts';
import { powerOn } from './power-on.ts';
import { ramLayout } from './ram-layout.ts';
import { remap } from './remap.ts';

/** Build a `pc` machine through KVM's ioctls and leave it ready for the first instruction. */
export function buildMachine(kvm: Kvm, options: MachineOptions, host: VmmHost): Machine {
  checkOptions(options);
  const ram = ramLayout(options.memory * 2 ** 20);
  const model = options.cpu === undefined ? undefined : parseCpuModel(options.cpu);
  const { fds, processorId } = createVm({ kvm, host }, options.smp, model);
  const parts = pcParts(options, host.wallClockAtPowerOn, processorId);
  const hva = hostRanges(host, options, ram.total);
  const here = (): Machine => machine;
  const nowhere: AddressSpace = { view: [], memory: host.memory, bus: registerBus(here) };
  const state: VmmState = {
    devices: Object.fromEntries(parts.map((part) => [part.name, part.atReset()])),
    slots: [],
    pins: {},
    eventfds: {},
    resetBy: undefined,
    stopped: false,
  };
  const machine: Machine = {
    kvm,
    host,
    options,
    ram,
    parts,
    effects: parts.map((part) => effectsOf(here, part)),
    hva,
    fds,
    processorId,
    state,
    memory: nowhere,
    io: nowhere,
    cpu: -1,
  };
  remap(machine, 'ram');
  createInterruptRoutes({ kvm, host }, fds.vm);
  remap(machine, 'firmware');
  remap(machine);
  createTimer({ kvm, host }, fds.vm);
  coalesceWrites(machine);
  powerOn(machine);
  return machine;
}

function hostRanges(host: VmmHost, options: MachineOptions, ramSize: number): HostRanges {
  const ram = host.memory.allocate('pc.ram', ramSize);
  const firmware = options.bios?.bytes ?? resetCode();
  const bios = host.memory.allocate('pc.bios', firmware.length);
  const optionRom = host.memory.allocate('pc.rom', OPTION_ROM_SIZE);
  host.memory.writeHost(bios, firmware);
  return { ram, bios, optionRom };
}

function checkOptions(options: MachineOptions): void {
  const { memory, smp, bios, kernel, initrd } = options;
  if (!Number.isInteger(memory) || memory < 2)
    throw new Problem(`-m ${memory}: a machine needs 2 MiB of memory or more.`);
  if (!Number.isInteger(smp) || smp < 1 || smp > CPUS_LIMIT) {
    throw new Problem(`-smp ${smp}: this machine has 1 to ${CPUS_LIMIT} processors.`);
  }
  if (bios !== undefined && (bios.bytes.length === 0 || bios.bytes.length % 0x10000 !== 0)) {
    throw new Problem(`${bios.name} has ${bios.bytes.length} bytes; a BIOS image is a multiple of 64 KiB.`);
  }
  if (bios !== undefined && bios.bytes.length > BIOS_LIMIT) {
    throw new Problem(`${bios.name} has ${bios.bytes.length} bytes; a BIOS image has at most 8 MiB.`);
  }
  if (kernel === undefined && bios === undefined) throw new Problem('There is nothing to run: give -kernel or -bios.');
  if (kernel === undefined && initrd !== undefined) throw new Problem('-initrd needs -kernel.');
}

const CPUS_LIMIT = 4;
const BIOS_LIMIT = 8 * 2 ** 20;
