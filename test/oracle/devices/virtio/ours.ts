/** Our machine, as scripts see it. */
import type { MachineOptions } from '../../../../src/vmm/index.ts';
import type { Base } from '../../../../src/memory/sparse.ts';
import { type Bench, bench } from '../../../vmm/bench.ts';
import { bytesOf, type Guest, numberOf, type Scene } from './guest.ts';
import { framesOf } from '../nic/ours.ts';
import { diskByte, hasDrive, isNic, NETDEV, SECTORS, SERIAL } from './scenes.ts';

const DISK: Base = {
  read(at, into) {
    for (let offset = 0; offset < into.length; offset++) into[offset] = diskByte(at + offset);
  },
};

const DRIVE = { id: 'd0', sectors: SECTORS, readOnly: false, writeCache: true, serial: SERIAL };
/** A wire to nobody: what goes out at the other end is seen by its facts. */
const HUB = [NETDEV, 'far'].map((id) => ({ type: 'hubport', id, hub: 0, properties: {} }));
const SECOND = 1e9;
const TURNS = 10;

/** The scene's device in a machine of ours, which runs no guest either. */
export const ourGuest = (scene: Scene): Guest => ourMachine(scene).guest;

/** The same with the machine. others: further devices of it. */
export function ourMachine(
  { driver, properties }: Pick<Scene, 'driver' | 'properties'>,
  others: MachineOptions['devices'] = [],
): { readonly machine: Bench; readonly guest: Guest } {
  const machine = bench({
    devices: [{ driver, properties: { ...properties, ...ends(driver) } }, ...others],
    ...(isNic(driver) ? { netdevs: HUB } : {}),
    drives: [DRIVE],
    disks: new Map([[DRIVE.id, DISK]]),
  });
  const seen = { events: 0, frames: 0, ns: 0 };
  // What is put off puts off something itself.
  const settle = (): void => {
    for (let turn = 0; turn < TURNS; turn++) machine.passTo((seen.ns += SECOND / TURNS));
  };
  const after = <T>(value: T): T => {
    deliver(machine);
    return value;
  };
  const guest: Guest = {
    in: async (port, size) => after(machine.in(port, size)),
    out: async (port, size, value) => after(write(machine, true, { at: port, size, value })),
    read: async (gpa, size) => after(numberOf(machine.read(gpa, size))),
    write: async (gpa, size, value) => after(write(machine, false, { at: gpa, size, value })),
    peek: async (gpa, length) =>
      Uint8Array.from(inPieces(length).flatMap(([at, size]) => [...machine.read(gpa + at, size)])),
    async poke(gpa, bytes) {
      for (const [at, size] of inPieces(bytes.length)) machine.store(gpa + at, bytes.subarray(at, at + size));
    },
    settle: async () => after(settle()),
    resize: async (sectors) => after(machine.resize(DRIVE.id, sectors)),
    reset: async () => after(machine.out(0xcf9, 1, 6)),
    async send(frame) {
      machine.sendPacket(NETDEV, frame);
      after(settle());
    },
    wire: async () => framesOf(machine.events.slice(seen.frames, (seen.frames = machine.events.length)), `${driver}.0`),
    link: async (up) => after(machine.setLink(`${driver}.0`, up)),
    async announce(rounds) {
      machine.announce(rounds);
      after(settle());
    },
    said: () =>
      machine.events
        .slice(seen.events, (seen.events = machine.events.length))
        .flatMap((event) => (event.kind === 'sim:virtio_error' ? [event.why] : [])),
  };
  return { machine, guest };
}

/** What a device is for. */
const ends = (driver: string): Readonly<Record<string, string>> => ({
  ...(hasDrive(driver) ? { drive: DRIVE.id } : {}),
  ...(isNic(driver) ? { netdev: NETDEV } : {}),
});

interface Write {
  readonly at: number;
  readonly size: number;
  readonly value: number;
}

/** KVM makes a signal of what it was given an eventfd for; all else is an exit. */
function write(machine: Bench, pio: boolean, { at, size, value }: Write): void {
  for (const [fd, { places }] of Object.entries(machine.state.vmm.eventfds)) {
    const hit = places.find((place) => place.pio === pio && place.addr === at && [0, size].includes(place.size));
    if (hit === undefined || (hit.match ?? value) !== value) continue;
    machine.signals.push(Number(fd));
    return;
  }
  if (pio) machine.out(at, size, value);
  else machine.store(at, bytesOf(value, size));
}

/** An access of a processor has at most eight bytes. */
const inPieces = (length: number): [at: number, size: number][] =>
  Array.from({ length: Math.ceil(length / 8) }, (_, piece) => [8 * piece, Math.min(8, length - 8 * piece)]);

/** An eventfd is a notification, or of a message route, which KVM writes where QEMU's device would by itself. */
function deliver({ signals, state, store, handle }: Bench): void {
  for (let fd = signals.shift(); fd !== undefined; fd = signals.shift()) {
    const signalled = fd;
    if (state.vmm.eventfds[fd] !== undefined) handle(fd);
    const route = Object.values(state.vmm.msiRoutes).find((each) => each.fd === signalled && each.bound);
    if (route !== undefined) store(Number(route.address), bytesOf(route.data));
  }
}
