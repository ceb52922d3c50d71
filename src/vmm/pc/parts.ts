import { DIRECT_BOOT } from '../../devices/direct-boot/index.ts';
import type { FwCfgItems } from '../../devices/fw-cfg/index.ts';
import { gsi, gsiWires, type Wire, type Wires } from '../../devices/wire.ts';
import type { Part } from '../board/machine.ts';
import type { MachineConfig, PartConfig } from '../config.ts';
import { type DeviceModel, driverOf, type SetupOf } from '../models.ts';
import type { DevicesState } from '../state.ts';
import { checkPorts, checkSlot } from './addresses.ts';
import { checkDrives } from './drive-properties.ts';
import { bridgeParts } from './bridge-parts.ts';
import { backendParts, checkNetdevs, netClients } from './net-parts.ts';
import { optionPart } from './option-parts.ts';
import { ramLayout } from './ram-layout.ts';
import { type Seat, seated } from './seat.ts';

/** What of a machine's options decides which devices it has and how they come up. */
export type Board = Pick<
  MachineConfig,
  | 'memory'
  | 'smp'
  | 'serialLines'
  | 'devices'
  | 'drives'
  | 'iothreads'
  | 'netdevs'
  | 'bridges'
  | 'firmware'
  | 'bootOrder'
  | 'rtcAhead'
>;

/** A machine's configuration, with its parts. */
export function configOf(made: Omit<MachineConfig, 'parts' | 'net'>): MachineConfig {
  const net = netClients(made);
  return { ...made, parts: pcParts(made, NO_ITEMS).map(placeOf), ...(net === undefined ? {} : { net }) };
}

/** State of every device of a machine nobody has switched on. */
export function devicesAtPowerOn(made: Board): DevicesState {
  const states = pcParts(made, NO_ITEMS).map((part): [string, object] => [part.name, part.atReset()]);
  return Object.fromEntries(states) as unknown as DevicesState;
}

const NO_ITEMS: FwCfgItems = new Map();

function placeOf({ name, model, bases, pci, wires }: Part): PartConfig {
  return { name, model, bases, wires, ...(pci === undefined ? {} : { pci }) };
}

/**
 * The devices of a `pc` machine, on the board first, then those of `-device` in order. Throws a Problem for one that
 * there is not, or whose place another has.
 */
export function pcParts(made: Board, items: FwCfgItems): Part[] {
  const parts = [...boardParts(made), ...serialParts(made), part('fw_cfg', 'fwCfg', { items })];
  if (!made.firmware) parts.push(part(DIRECT_BOOT, 'directBoot', {}));
  checkDrives(made);
  checkNetdevs(made);
  for (const [index, option] of made.devices.entries()) {
    const { smp, iothreads = [], drives = [], netdevs = [] } = made;
    const added = optionPart(option, index, { smp, iothreads, drives, netdevs, parts });
    checkSlot(added, parts);
    checkPorts(added, parts);
    parts.push(added);
  }
  return [...parts, ...backendParts(made), ...bridgeParts(made)];
}

/** How much read-only memory its devices bring along. */
export const deviceRomBytes = (made: Board): number =>
  pcParts(made, NO_ITEMS)
    .flatMap(({ device }) => device.regions)
    .reduce((sum, { content }) => sum + (content?.length ?? 0), 0);

/** Name of the part behind a serial line: who receives `sim:serial_received`. */
const serialName = (line: number): string => `serial${line}`;

/** A device of the board. */
const part = <M extends DeviceModel>(name: string, model: M, setup: SetupOf<M>, seat: Seat = {}): Part =>
  seated(name, model, driverOf(model), setup, seat);

function boardParts(made: Board): Part[] {
  const ram = ramLayout(made.memory * 2 ** 20);
  const { bootOrder, rtcAhead } = made;
  const rtc = { ramBelow4G: ram.below4g, ramAbove4G: ram.above4g, cpus: made.smp, bootOrder, ahead: rtcAhead };
  return [
    ...pciBoardParts(made, ram.total),
    part('rtc', 'mc146818', rtc, wired({ irq: into('hpet', 'rtc') })),
    part('hpet', 'hpet', {}, wired({ ...gsiWires('gsi', 24), pit_enable: { to: 'pit' } })),
    part('i8042', 'i8042', {}, wired({ irq1: gsi(1), irq12: gsi(12) })),
    part('port92', 'port92', {}),
    part('i8237', 'i8237', {}),
    part('debug-ports', 'debugPorts', {}),
    part('kvmvapic', 'kvmvapic', {}),
    part('cpu-hotplug', 'cpuHotplug', { cpus: made.smp }),
    part('pci-hotplug', 'pciHotplug', {}),
  ];
}

function pciBoardParts({ serialLines }: Board, ramBytes: number): Part[] {
  const pm = { smm: false, com1: serialLines > 0, com2: serialLines > 1 };
  return [
    part('i440fx', 'i440fx', { ramBytes }, at(0, 0)),
    part('piix3', 'piix3', {}, at(1, 0, gsiWires('irq', 16))),
    part('piix3-ide', 'piix3Ide', {}, at(1, 1, { irq14: gsi(14), irq15: gsi(15) })),
    part('piix4-pm', 'piix4Pm', pm, at(1, 3, { sci: gsi(9) })),
  ];
}

const serialParts = ({ serialLines }: Board): Part[] =>
  SERIAL_LINES.slice(0, serialLines).map(({ iobase, irq }, line) =>
    part(serialName(line), 'uart16550', { line, iobase }, wired({ irq: gsi(irq) })),
  );

/** Where a machine's serial lines are reached, COM1 first. */
export const serialPorts = ({ serialLines }: Pick<Board, 'serialLines'>): number[] =>
  SERIAL_LINES.slice(0, serialLines).map(({ iobase }) => iobase);

/** COM1 to COM4. */
const SERIAL_LINES = [
  { iobase: 0x3f8, irq: 4 },
  { iobase: 0x2f8, irq: 3 },
  { iobase: 0x3e8, irq: 4 },
  { iobase: 0x2e8, irq: 3 },
] as const;

const into = (to: string, name: string): Wire => ({ to: 'input', part: to, name });

const wired = (wires: Wires): Seat => ({ wires });

const at = (slot: number, fn: number, wires: Wires = {}): Seat => ({ pci: { slot, function: fn }, wires });
