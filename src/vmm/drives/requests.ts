/** Requests of devices to drives: QEMU's block backend, as far as a device sees it. */
import { digestOfBytes } from '../../base/digest.ts';
import { invariant } from '../../base/invariant.ts';
import { EIO, EPERM } from '../../base/errno.ts';
import { type Ns, SECTOR } from '../../base/units.ts';
import type { DiskRequest } from '../../devices/device.ts';
import type { Costs } from '../../events/costs.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import type { RequestInFlight } from '../state.ts';
import { type Drive, driveOf, sectorsOf } from './drive.ts';
import { type DueRequest, nextToComplete } from './due.ts';
import { faultFor, isStopped } from './errors.ts';

/** A device's request is in flight from now on. */
export function submit(machine: Machine, { name: dev }: Part, request: DiskRequest): void {
  const { drive, tag, op, offset, length: len, fua = false } = request;
  const inFlight = machine.state.drives[drive]?.inFlight ?? [];
  const isNew = !inFlight.some((other) => other.dev === dev && other.tag === tag);
  invariant(isNew, 'a device tells its requests in flight apart', { dev, tag });
  const due = machine.now() + latency(machine.config.costs, request) + delay(machine, drive);
  machine.raise({ kind: 'sim:disk_submitted', drive, dev, tag, op, offset, len, fua, due });
}

const KIB = 1024;

/** How long a drive takes for a request. Those in flight do not wait for each other. */
function latency(costs: Costs, { op, length, fua }: DiskRequest): Ns {
  if (op === 'flush') return costs['disk-flush'];
  const moved = op === 'read' || op === 'write' ? Math.ceil((length * costs['disk-kib']) / KIB) : 0;
  return costs['disk-access'] + moved + (fua === true ? costs['disk-flush'] : 0);
}

const NUMBER_BYTES = 4;

/** How much longer a drive with jitter takes this time. */
function delay(machine: Machine, drive: string): Ns {
  const { jitter = 0 } = driveOf(machine, drive).info;
  if (jitter === 0) return 0;
  const bytes = machine.board.host.chance(`disk ${drive}`, NUMBER_BYTES);
  const share = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) / 2 ** 32;
  const ns = Math.floor(share * (jitter + 1));
  machine.raise({ kind: 'sim:disk_delayed', drive, ns });
  return ns;
}

/** Complete what is due. False: there was nothing. */
export function completeDue(machine: Machine, callOf: CallOf): boolean {
  let hasCompleted = false;
  for (;;) {
    const request = nextToComplete(machine.state.drives);
    if (request === undefined || request.due > machine.now() || isStopped(machine)) return hasCompleted;
    hasCompleted = true;
    complete(machine, request, callOf);
  }
}

/** A machine that stopped goes on: what failed is asked again, the last of each drive first, as QEMU does it. */
export function goOn(machine: Machine): void {
  if (!isStopped(machine)) return;
  const going = machine.after(machine.raise({ kind: 'sim:machine_continued' }));
  for (const [drive, { held = [] }] of Object.entries(machine.state.drives)) {
    for (const { dev, errno: _errno, ...request } of held.toReversed()) {
      const part = machine.parts.find(({ name }) => name === dev);
      if (part !== undefined) submit(going, part, { drive, ...request });
    }
  }
}

/** Complete all that a device has in flight now. What it submits meanwhile stays. */
export function drain(machine: Machine, { name }: Part, drive: string, callOf: CallOf): void {
  const inFlight = (): readonly RequestInFlight[] => machine.state.drives[drive]?.inFlight ?? [];
  for (const request of inFlight().filter(({ dev }) => dev === name)) {
    const isStill = inFlight().some(({ submitted }) => submitted === request.submitted);
    if (isStill) complete(machine, { ...request, drive }, callOf);
  }
  for (const { dev, tag } of machine.state.drives[drive]?.held ?? []) {
    if (dev === name) machine.raise({ kind: 'sim:disk_dropped', drive, dev, tag });
  }
}

/** A request is done: its device moves the bytes. What follows does so because it was submitted. */
function complete(from: Machine, request: DueRequest, callOf: CallOf): void {
  const { drive, dev, tag, op, offset, length, fua = false, submitted } = request;
  const part = from.parts.find(({ name }) => name === dev)!;
  // In the thread its device acts in, whoever found that it was time.
  const asked = { drive, tag, op, offset, length, fua };
  const { result, machine: acting } = outcomeOf(from.from(from.origin.by(part.thread).after(submitted)), request);
  const machine = acting.after(acting.raise({ kind: 'sim:disk_completed', drive, dev, tag, result }));
  if (result === 0 && op === 'flush') flush(machine, drive);
  part.device.completed?.(machine.stateOf(part), asked, result, callOf(machine, part));
  if (result === 0 && fua) flush(machine, drive);
}

/** All a drive holds is durable, unless its user gave that up. */
function flush(machine: Machine, drive: string): void {
  if (driveOf(machine, drive).info.noFlush === true) return;
  machine.raise({ kind: 'sim:disk_flushed', drive, changes: machine.state.drives[drive]!.unflushed });
}

/** What a request comes to: 0 or a negative errno, and the machine as the fault left it that made it so. */
function outcomeOf(machine: Machine, request: DueRequest): { readonly result: number; readonly machine: Machine } {
  const { drive, dev, tag } = request;
  const result = resultOf(machine, request);
  const found = result === 0 ? faultFor(machine, request) : undefined;
  if (found === undefined) return { result, machine };
  const { at: fault, errno } = found;
  const seq = machine.raise({ kind: 'sim:disk_faulted', drive, dev, tag, fault, errno });
  return { result: -errno, machine: machine.after(seq) };
}

/** QEMU's blk_check_byte_request, and bdrv_co_pwritev of what is read-only. */
function resultOf(machine: Machine, { drive, op, offset, length }: DiskRequest): number {
  const { info } = driveOf(machine, drive);
  if (offset < 0 || length < 0 || offset + length > sectorsOf(machine.state, info) * SECTOR) return -EIO;
  return info.readOnly && op !== 'read' && op !== 'flush' ? -EPERM : 0;
}

/** A drive has another size from now on, and its devices tell their drivers. Whoever asks has made sure of the size. */
export function resizeDrive(asked: Machine, id: string, sectors: number, callOf: CallOf): void {
  const machine = asked.after(asked.raise({ kind: 'sim:disk_resized', drive: id, sectors }));
  driveOf(machine, id).bytes.resize(sectors * SECTOR);
  for (const part of machine.parts) part.device.resized?.(machine.stateOf(part), id, callOf(machine, part));
}

/** Bytes a drive holds. */
export function readDrive(machine: Machine, id: string, offset: number, length: number): Uint8Array {
  const into = new Uint8Array(length);
  driveOf(machine, id).bytes.read(offset, into);
  return into;
}

/** A drive holds these bytes from now on. */
export function writeDrive(machine: Machine, id: string, offset: number, bytes: Uint8Array): void {
  const drive = changing(machine, id);
  const digest = digestOfBytes(bytes);
  machine.raise({ kind: 'sim:disk_written', drive: id, offset, len: bytes.length, digest });
  drive.bytes.write(offset, bytes);
}

/** It holds zeroes. */
export function clearDrive(machine: Machine, id: string, offset: number, length: number): void {
  const drive = changing(machine, id);
  machine.raise({ kind: 'sim:disk_cleared', drive: id, offset, len: length });
  drive.bytes.clear(offset, length);
}

function changing(machine: Machine, id: string): Drive {
  const drive = driveOf(machine, id);
  invariant(!drive.info.readOnly, 'a device does not write to what is read-only', { id });
  return drive;
}
