import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import { receiverOf } from '../../src/machine/inputs.ts';
import type { InputEvent } from '../../src/machine/parts.ts';
import { reduce } from '../../src/reducers/evolve.ts';
import { powerOn } from '../../src/reducers/power-on.ts';
import { differingSlices, digestSlices } from '../../src/reducers/slices.ts';
import type { MachineState } from '../../src/reducers/state.ts';
import { inputQueue } from './pc.ts';
import { scriptedMachine, scriptedMade } from './scripted.ts';

type GivenKind = InputEvent['kind'];

const NOBODYS = { dev: 'user#0', connection: 1 } as const;

/** An input of each kind that is given to a run, and the parts of the state that its receiver changes. */
const INPUTS: { readonly [K in GivenKind]: { readonly event: InputEvent & { kind: K }; readonly reaches: string[] } } =
  {
    'sim:serial_received': {
      event: { kind: 'sim:serial_received', line: 0, bytes: Uint8Array.of(0x61) },
      reaches: ['serial0'],
    },
    'sim:chardev_received': {
      event: { kind: 'sim:chardev_received', dev: 'isa-debugcon#0', bytes: Uint8Array.of(0x61) },
      reaches: [],
    },
    'sim:payload_received': {
      event: { kind: 'sim:payload_received', dev: 'isa-debugcon#0', sha256: '', len: 0 },
      reaches: [],
    },
    'sim:keyboard_received': {
      event: { kind: 'sim:keyboard_received', bytes: Uint8Array.of(0x1e, 0x9e) },
      reaches: ['i8042'],
    },
    'sim:reset_requested': { event: { kind: 'sim:reset_requested' }, reaches: ['serial0', 'vcpu0'] },
    // LINT1 is masked after a reset.
    'sim:nmi_requested': { event: { kind: 'sim:nmi_requested' }, reaches: [] },
    // Nobody sleeps here.
    'sim:wakeup_requested': { event: { kind: 'sim:wakeup_requested' }, reaches: [] },
    'sim:power_lost': { event: { kind: 'sim:power_lost' }, reaches: ['schedule'] },
    'sim:drive_size_set': { event: { kind: 'sim:drive_size_set', drive: 'd', sectors: 8 }, reaches: [] },
    // Nobody is on any wire.
    'sim:frame_received': {
      event: { kind: 'sim:frame_received', dev: 'isa-debugcon#0', bytes: Uint8Array.of(0x61) },
      reaches: [],
    },
    'sim:packet_received': {
      event: {
        kind: 'sim:packet_received',
        ...{ dev: 'isa-debugcon#0', bytes: Uint8Array.of(0x61), header: new Uint8Array(0) },
      },
      reaches: [],
    },
    // No user network is there.
    'sim:socket_opened': { event: { kind: 'sim:socket_opened', ...NOBODYS, errno: 0 }, reaches: [] },
    'sim:socket_data': { event: { kind: 'sim:socket_data', ...NOBODYS, bytes: Uint8Array.of(0x61) }, reaches: [] },
    'sim:socket_taken': { event: { kind: 'sim:socket_taken', ...NOBODYS, length: 1 }, reaches: [] },
    'sim:socket_ended': { event: { kind: 'sim:socket_ended', ...NOBODYS }, reaches: [] },
    'sim:socket_reset': { event: { kind: 'sim:socket_reset', ...NOBODYS, errno: 104 }, reaches: [] },
    'sim:socket_accepted': {
      event: { kind: 'sim:socket_accepted', dev: 'user#0', visitor: 1, forward: 1, host: '127.0.0.1', port: 9 },
      reaches: [],
    },
    'sim:datagram_received': {
      event: { kind: 'sim:datagram_received', dev: 'user#0', way: 1, bytes: Uint8Array.of(0x61) },
      reaches: [],
    },
    'sim:datagram_refused': { event: { kind: 'sim:datagram_refused', dev: 'user#0', way: 1, errno: 111 }, reaches: [] },
    'sim:datagram_accepted': {
      event: {
        kind: 'sim:datagram_accepted',
        ...{ dev: 'user#0', forward: 1, host: '127.0.0.1', port: 9 },
        bytes: Uint8Array.of(0x61),
      },
      reaches: [],
    },
    'sim:name_found': {
      event: { kind: 'sim:name_found', dev: 'user#0', query: 1, addresses: '', errno: 2 },
      reaches: [],
    },
    // Nor a network that goes on outside.
    'sim:carrier_set': {
      event: { kind: 'sim:carrier_set', dev: 'frames#0', up: true, info: '', why: '' },
      reaches: [],
    },
    'sim:frames_stalled': { event: { kind: 'sim:frames_stalled', dev: 'frames#0', stalled: true }, reaches: [] },
    'sim:announce_asked': {
      event: { kind: 'sim:announce_asked', interfaces: '', id: '', initial: 50, max: 550, rounds: 5, step: 100 },
      reaches: [],
    },
    'sim:dirty_rate_asked': { event: { kind: 'sim:dirty_rate_asked', seconds: 1 }, reaches: ['board', 'kvm.vm'] },
    'sim:link_set': { event: { kind: 'sim:link_set', client: 'n0', up: false }, reaches: [] },
    // It runs.
    'sim:continue_requested': { event: { kind: 'sim:continue_requested' }, reaches: [] },
    'sim:power_button_pressed': { event: { kind: 'sim:power_button_pressed' }, reaches: ['piix4-pm'] },
    'sim:intervened': {
      event: {
        kind: 'sim:intervened',
        what: 'state',
        value: JSON.stringify({ path: 'vmm.devices.serial0.scr', value: '77' }),
      },
      reaches: ['serial0'],
    },
    'sim:forked': { event: { kind: 'sim:forked', parent: 'a run' }, reaches: [] },
    'sim:stopped': { event: { kind: 'sim:stopped', by: 'a person' }, reaches: ['schedule'] },
  };

const KINDS = Object.keys(INPUTS) as GivenKind[];

/** PM1_EN: the guest wants to hear of the power button. ACPI 6.5, 4.8.4.2. */
const BUTTON_ENABLED: InputEvent = setField('vmm.devices.piix4-pm.enable', 0x100);

function setField(path: string, value: number): InputEvent {
  return { kind: 'sim:intervened', what: 'state', value: JSON.stringify({ path, value: `${value}` }) };
}

/** A run that is given one input on the way. */
function runWith(event: InputEvent): readonly Stamped[] {
  const events: Stamped[] = [];
  const inputs = inputQueue([
    { ns: 290_000, event: BUTTON_ENABLED },
    { ns: 300_000, event },
  ]);
  const machine = scriptedMachine(1, { inputs, onEvent: (stamped) => void events.push(stamped) });
  machine.advance({ tick: 60_000 });
  return events;
}

/** Parts of the state that differ between just before an input and the end of what happened within it. */
function reachedBy(events: readonly Stamped[], input: Stamped): string[] {
  const end = events.findLastIndex(({ seq, within }) => seq === input.seq || within === input.seq);
  let state: MachineState = powerOn(scriptedMade(1));
  let before = state;
  for (const stamped of events.slice(0, end + 1)) {
    if (stamped.seq === input.seq) before = state;
    state = reduce(state, stamped);
  }
  return differingSlices(state.config, digestSlices(before), digestSlices(state));
}

describe('an input', () => {
  test('of each kind is known here', () => {
    const kinds = Object.entries(VOCABULARY).flatMap(([kind, { receiver }]) => (receiver === undefined ? [] : [kind]));
    expect(['sim:powered_on', ...KINDS].sort()).toEqual(kinds.sort());
  });

  test.each(KINDS.filter((kind) => INPUTS[kind].reaches.length > 0))('%s reaches who receives it', (kind) => {
    const { event, reaches } = INPUTS[kind];
    const events = runWith(event);
    const input = events.findLast((stamped) => stamped.event.kind === kind) as Stamped;
    expect(input.cause).toBeUndefined();
    expect(reachedBy(events, input)).toEqual(expect.arrayContaining(reaches));
  });

  test('that begins a run is its first event, with what the run is given', () => {
    const [first] = runWith({ kind: 'sim:power_button_pressed' });
    expect(first?.event).toMatchObject({ kind: 'sim:powered_on', seed: '3' });
  });

  test('that marks a fork is for the timeline: the machine does not notice', () => {
    const { event } = INPUTS['sim:forked'];
    expect(receiverOf(event)).toBeUndefined();
    const events = runWith(event);
    const input = events.findLast((stamped) => stamped.event.kind === 'sim:forked') as Stamped;
    expect(reachedBy(events, input)).toEqual([]);
    expect(events.some(({ within }) => within === input.seq)).toBe(false);
  });

  test('for a line that is not there is heard by nobody, and the run goes on', () => {
    const events = runWith({ kind: 'sim:serial_received', line: 3, bytes: Uint8Array.of(0x61) });
    const input = events.findLast(({ event }) => event.kind === 'sim:serial_received') as Stamped;
    expect(reachedBy(events, input)).toEqual([]);
    expect(events.length).toBeGreaterThan(input.seq + 100);
  });
});
