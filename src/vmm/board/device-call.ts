import { digestOfBytes } from '../../base/digest.ts';
import { invariant } from '../../base/invariant.ts';
import type { Gpa, Ns, Seq } from '../../base/units.ts';
import type {
  Ask,
  DiskRequest,
  DriveInfo,
  ErrorAction,
  ErrorPolicy,
  NetPeer,
  Packet,
  WakeReason,
} from '../../devices/device.ts';
import type { VhostStart } from '../../devices/vhost.ts';
import { armTimer, cancelTimer } from '../../events/timers.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import { sectorsOf } from '../drives/drive.ts';
import { actUpon } from '../drives/errors.ts';
import { clearDrive, drain, readDrive, submit, writeDrive } from '../drives/requests.ts';
import type { Machine, Part } from './machine.ts';
import { clientOfPart } from '../net/clients.ts';
import { intoKernel, newPacket, nextFrame, queueOfTap, setOffloads } from '../net/kernel.ts';
import { attachQueues } from '../net/queues.ts';
import {
  dropPacket,
  fileBytes,
  passPacket,
  peerOfPart,
  sendAt,
  sendPacket,
  settlePackets,
  takePackets,
} from '../net/wire.ts';
import { ramReachOf, reachOf, readBytes, writeBytes } from '../memory/address-space.ts';
import { kickVhost, openVhost, startVhost, stopVhost } from '../vhost/control.ts';
import { raiseVector } from './messages.ts';
import { type Call, type CallOf, drivePin } from './pins.ts';

const KIB = 1024;

/** A call of another device, or of the same one later. */
export const callOf: CallOf = (machine, part, pending) => new DeviceCall(machine, part, pending);

/** One call of a device: what it may do to the machine around it, and the fact it was called for. */
export class DeviceCall implements Call {
  private machine: Machine;
  private readonly part: Part;
  private pending: MachineEvent | undefined;

  /** `pending`: what `commit` puts on record. */
  constructor(machine: Machine, part: Part, pending?: MachineEvent) {
    this.machine = machine;
    this.part = part;
    this.pending = pending;
  }

  get now(): Ns {
    return this.machine.now();
  }

  get name(): string {
    return this.part.name;
  }

  /** The machine, as what follows from this call finds it. */
  get since(): Machine {
    return this.machine;
  }

  commit(): void {
    const { pending } = this;
    invariant(pending !== undefined, 'a device commits once, to what it was called for', { part: this.part.name });
    this.pending = undefined;
    this.machine = this.machine.after(this.machine.raise(pending));
  }

  /** The call is over; a device that has nothing to say to it left it to the machine to commit. */
  finish(commits: boolean): void {
    if (commits) this.commit();
    invariant(this.pending === undefined, 'a device commits to what it was called for', { part: this.part.name });
  }

  raise(event: MachineEvent): void {
    this.machine.raise(event);
  }

  pin(name: string, high: boolean, since?: Seq): void {
    const machine = since === undefined ? this.machine : this.machine.after(since);
    drivePin(machine, { part: this.part, name, high }, callOf);
  }

  arm(timer: string, deadline: Ns): void {
    armTimer(this.machine.origin, this.idOf(timer), deadline);
  }

  cancel(timer: string): void {
    cancelTimer(this.machine.state.timers, this.machine.origin, this.idOf(timer));
  }

  deadline(timer: string): Ns | undefined {
    return this.machine.state.timers[this.idOf(timer)]?.deadline;
  }

  ask({ bytes }: Ask): void {
    this.raise({ kind: 'sim:chardev_sent', dev: this.part.name, bytes });
  }

  keep(offset: number, bytes: Uint8Array): void {
    this.raise({ kind: 'sim:device_data', dev: this.part.name, offset, bytes });
  }

  random(stream: string, length: number): Uint8Array {
    const bytes = this.machine.board.host.chance(stream, length);
    this.raise({ kind: 'sim:entropy_drawn', dev: this.part.name, stream, bytes });
    return bytes;
  }

  msi(vector: number): boolean {
    return raiseVector(this.machine, this.part, vector, callOf);
  }

  requestReset(): void {
    this.machine.askForReset(this.part.name);
  }

  requestSuspend(): void {
    this.machine.askForSuspend();
  }

  requestWakeup(by: WakeReason): void {
    this.machine.askForWakeup(by);
  }

  dmaReach(gpa: Gpa, length: number): number {
    return reachOf(this.machine.memory, gpa, length);
  }

  ramReach(gpa: Gpa, length: number): number {
    return ramReachOf(this.machine.memory, gpa, length);
  }

  transaction<T>(reads: () => T): T {
    return this.machine.memory.memory.gather(this.part.name, reads);
  }

  dmaRead(gpa: Gpa, length: number): Uint8Array {
    return this.transaction(() => readBytes(this.machine.memory, gpa, length));
  }

  dmaWrite(gpa: Gpa, bytes: Uint8Array): void {
    this.tellDma('write', gpa, bytes);
    writeBytes(this.machine.memory, gpa, bytes);
  }

  dmaTold(gpa: Gpa, bytes: Uint8Array): void {
    writeBytes(this.machine.memory, gpa, bytes);
  }

  payload(gpa: number, length: number): Uint8Array {
    const bytes = this.packetPayload(gpa, length);
    this.tellDma('read', gpa, bytes);
    return bytes;
  }

  packetPayload(gpa: number, length: number): Uint8Array {
    const { view, bus, memory } = this.machine.memory;
    const payloads = { readHost: (hva: number, some: number) => memory.readPayload(hva, some) };
    return readBytes({ view, bus, memory: payloads }, gpa, length);
  }

  payloadOf(sha256: string): Uint8Array {
    return new Uint8Array(this.machine.board.host.payload(sha256));
  }

  drive(id: string): DriveInfo | undefined {
    const drive = this.machine.board.drives.get(id);
    return drive === undefined ? undefined : { ...drive.info, sectors: sectorsOf(this.machine.state, drive.info) };
  }

  submit(request: DiskRequest): void {
    submit(this.machine, this.part, request);
  }

  failed(request: DiskRequest, result: number, policy: ErrorPolicy | undefined): ErrorAction {
    return actUpon(this.machine, this.part, request, -result, policy);
  }

  drain(drive: string): void {
    drain(this.machine, this.part, drive, callOf);
  }

  diskRead(drive: string, offset: number, length: number): Uint8Array {
    return readDrive(this.machine, drive, offset, length);
  }

  diskWrite(drive: string, offset: number, bytes: Uint8Array): void {
    writeDrive(this.machine, drive, offset, bytes);
  }

  diskClear(drive: string, offset: number, length: number): void {
    clearDrive(this.machine, drive, offset, length);
  }

  get peer(): NetPeer | undefined {
    return peerOfPart(this.machine, this.part);
  }

  sendPacket(bytes: Uint8Array, due?: Ns, header?: Uint8Array, queue?: number): boolean {
    return sendPacket(this.machine, this.part, { bytes, due, header }, callOf, queue);
  }

  sendAt(client: string, bytes: Uint8Array, due: Ns): void {
    sendAt(this.machine, client, { bytes, due }, callOf);
  }

  passPacket(packet: Packet): boolean {
    return passPacket(this.machine, packet, callOf);
  }

  newPacket(packet: Pick<Packet, 'bytes' | 'header'>): Packet {
    return newPacket(this.machine, this.part, packet);
  }

  intoKernel(packet: Packet): void {
    intoKernel(this.machine, this.part, packet, callOf);
  }

  nextFrame(queue: number): Packet | undefined {
    return nextFrame(this.machine, clientOfPart(this.machine, this.part, queue));
  }

  framesWaiting(queue: number): number {
    return queueOfTap(this.machine, clientOfPart(this.machine, this.part, queue)).frames.length;
  }

  attachQueues(queues: number): void {
    attachQueues(this.machine, this.part, queues, callOf);
  }

  setOffloads(flags: number, headerBytes: number): void {
    setOffloads(this.machine, this.part, { flags, headerBytes }, callOf);
  }

  openVhost(queue: number): void {
    openVhost(this.machine, this.part, queue);
  }

  startVhost(start: VhostStart): boolean {
    return startVhost(this.machine, this.part, start, callOf);
  }

  stopVhost(rings: number): readonly number[] {
    return stopVhost(this.machine, this.part, rings, callOf);
  }

  kickVhost(queue: number): void {
    kickVhost(this.machine, this.part, queue);
  }

  travel(length: number): Ns {
    const { costs } = this.machine.config;
    return costs['link-hop'] + Math.ceil((length * costs['link-kib']) / KIB);
  }

  takePackets(queue = 0): void {
    takePackets(this.machine, this.part, queue, callOf);
  }

  settlePackets(queue = 0): void {
    settlePackets(this.machine, this.part, queue, callOf);
  }

  dropPacket(packet: Packet, why: string): void {
    dropPacket(this.machine, packet, why);
  }

  fileBytes(file: string, offset: number, length: number): Uint8Array {
    return fileBytes(this.machine, this.part, { file, offset, length });
  }

  private tellDma(dir: 'read' | 'write', gpa: Gpa, bytes: Uint8Array): void {
    this.raise({ kind: 'sim:dma', dev: this.part.name, dir, gpa, len: bytes.length, digest: digestOfBytes(bytes) });
  }

  private idOf(timer: string): string {
    return this.part.timers.get(timer)!;
  }
}
