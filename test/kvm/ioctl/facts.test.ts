import { describe, expect, test } from 'vitest';
import { IOCTL_EVENTS } from '../../../src/events/ioctl.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { VCPU_IOCTLS } from '../../../src/kvm/ioctl/vcpu.ts';
import { VM_IOCTLS } from '../../../src/kvm/ioctl/vm.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { differenceOf, thaw } from '../../../src/reducers/seal.ts';
import type { MachineState } from '../../../src/reducers/state.ts';
import { createFakeGuest, type FakeGuest } from '../fake-guest.ts';
import { IOCTL_CASES, type IoctlCase, type Made, type Scene } from './ioctl-table.ts';
import { stage, withVm } from '../stage.ts';
import { untyped } from '../user-space.ts';

const nameOf = (request: number): string => io.IOCTLS[request]?.name ?? `0x${request.toString(16)}`;

const PARTS: { readonly [M in Exclude<Made, 'nothing'>]: Parameters<typeof withVm>[1] } = {
  'only memory': { irqchip: false, vcpus: 0 },
  'no vCPU': { vcpus: 0 },
  'no controllers': { irqchip: false },
  all: {},
};

function sceneOf(made: Made): Scene {
  const guest = createFakeGuest();
  const on = stage(() => guest);
  const { kvm } = on;
  const { vm, vcpus } = made === 'nothing' ? { vm: -1, vcpus: [] } : withVm(on, PARTS[made]);
  const scene = { ...on, guest, system: kvm.open(), vm, vcpu: vcpus[0] ?? -1, eventfd: kvm.eventfd() };
  return Object.defineProperty(scene, 'state', { get: () => on.state });
}

/** The registers of a processor, as values. */
const processorOf = (guest: FakeGuest, vcpu: number): object => {
  const registers = guest.registers(vcpu);
  if (registers === undefined) return {};
  const { rip, rflags, cr0, cr2, cr3, cr4, cr8, efer, xcr0, gdtr, idtr, interruptibility, activity } = registers;
  return {
    ...{ rip, rflags, cr0, cr2, cr3, cr4, cr8, efer, xcr0, gdtr, idtr, interruptibility, activity },
    gprs: [...guest.gprs[vcpu]!],
    segments: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({ ...registers.segment(index) })),
    drs: [0, 1, 2, 3, 6, 7].map((index) => registers.dr(index)),
    sysenter: registers.msr(0x174),
    area: [...registers.xsave()],
  };
};

/** Everything but the place the run has come to, which every event moves. */
const held = ({ at: _, ...rest }: MachineState): object => rest;

interface Outcome {
  readonly facts: readonly MachineEvent[];
  readonly isChanged: boolean;
  readonly expected: Partial<MachineEvent> | undefined;
}

/** Issue the request of a case, and look at what changed and what was told. */
function outcomeOf({ on, request, arg, fact, made, before }: IoctlCase): Outcome {
  const scene = sceneOf(made);
  before?.(scene);
  const { kvm, machine, guest, events, system, vm, vcpu } = scene;
  const [given, expected] = [arg(scene), fact?.(scene)];
  const old = { state: thaw(held(machine.state)), processor: processorOf(guest, 0) };
  events.length = 0;
  untyped(kvm).ioctl({ kvm: system, vm, vcpu }[on], request, given);
  const changed = differenceOf(old, { state: held(machine.state), processor: processorOf(guest, 0) });
  return { facts: [...events], isChanged: changed !== undefined, expected };
}

const toldOf = ({ facts, expected }: Outcome): MachineEvent[] =>
  facts.filter(({ kind }) => kind.startsWith('ioctl:') || kind === expected?.kind);

describe('the requests of /dev/kvm, a VM and a vCPU', () => {
  const key = (on: string, request: number): string => `${on} ${nameOf(request)}`;

  test('are all known here, by each descriptor that takes them', () => {
    const listed = Object.entries(io.IOCTLS).flatMap(([request, { on }]) =>
      on.split(' ').map((each) => key(each, Number(request))),
    );
    expect(IOCTL_CASES.map(({ on, request }) => key(on, request)).sort()).toEqual(listed.sort());
  });

  test('are listed with every descriptor that handles them', () => {
    const handled = [
      ...Object.keys(VM_IOCTLS).map((request) => ['vm', Number(request)] as const),
      ...Object.keys(VCPU_IOCTLS).map((request) => ['vcpu', Number(request)] as const),
    ];
    expect(handled.filter(([on, request]) => !io.IOCTLS[request]?.on.split(' ').includes(on))).toEqual([]);
  });

  test('are told by facts of which none is for nothing', () => {
    const told = new Set(
      IOCTL_CASES.filter(({ fact }) => fact !== undefined).flatMap((each) => outcomeOf(each).expected?.kind ?? []),
    );
    expect(Object.keys(IOCTL_EVENTS).filter((kind) => !told.has(kind as MachineEvent['kind']))).toEqual([]);
  });

  const rows = IOCTL_CASES.map((each) => [key(each.on, each.request), each] as const);

  test.each(rows.filter(([, { fact }]) => fact !== undefined))(
    '%s changes something, and one fact tells it',
    (_, each) => {
      const outcome = outcomeOf(each);
      expect(outcome.isChanged).toBe(true);
      expect(toldOf(outcome)).toHaveLength(1);
      expect(toldOf(outcome)[0]).toMatchObject(outcome.expected ?? {});
    },
  );

  test.each(rows.filter(([, { fact }]) => fact === undefined))('%s changes nothing, and none does', (_, each) => {
    const outcome = outcomeOf(each);
    expect(outcome.isChanged).toBe(false);
    expect(toldOf(outcome)).toEqual([]);
    expect(outcome.facts.at(-1)?.kind).toBe('sim:ioctl');
  });
});
