import { fact, hex, input, toPart } from './schema.ts';
import { hexBytes } from './symbols.ts';

/** Events of the machine as a whole, with no upstream equivalent: inputs, turns, time, and how a run ends. */
export const SIM_EVENTS = {
  'sim:powered_on': input(
    { seed: 'text', wall_clock: 'u64' },
    (e) => `seed=${e.seed} wall_clock=${e.wall_clock}`,
    'machine',
  ),
  'sim:serial_received': input(
    { line: 'u', bytes: 'bytes' },
    (e) => `line ${e.line} ${e.bytes.length} bytes`,
    toPart('serial', 'line'),
  ),
  /** Characters for a device of `-device` that has a `chardev`. */
  'sim:chardev_received': input(
    { dev: 'text', bytes: 'bytes' },
    (e) => `dev ${e.dev} ${e.bytes.length} bytes`,
    toPart('', 'dev'),
  ),
  /** Bulk bytes for a device: `len` of them, which the run keeps by their SHA-256 in hexadecimal digits. */
  'sim:payload_received': input(
    { dev: 'text', sha256: 'text', len: 'u' },
    (e) => `dev ${e.dev} ${e.len} bytes sha256 ${e.sha256}`,
    toPart('', 'dev'),
  ),
  /** Keys in scan code set 1. */
  'sim:keyboard_received': input({ bytes: 'bytes' }, (e) => `${e.bytes.length} scan code bytes`, toPart('i8042')),
  'sim:reset_requested': input({}, () => '', 'reset button'),
  /** A person interrupts every processor whose LINT1 passes NMIs on. */
  'sim:nmi_requested': input({}, () => '', 'NMI button'),
  /** A person wakes a machine that sleeps. */
  'sim:wakeup_requested': input({}, () => '', 'wake-up button'),
  /** The machine is without power from here on: the run is over, and its drives hold what was durable, and by chance
   * some of what was not. */
  'sim:power_lost': input({}, () => '', 'recorder'),
  /** A person gives a drive another size, in sectors of 512 bytes. */
  'sim:drive_size_set': input(
    { drive: 'text', sectors: 'u' },
    (e) => `drive ${e.drive} ${e.sectors} sectors`,
    'block layer',
  ),
  /** A person lets a machine go on that stopped. */
  'sim:continue_requested': input({}, () => '', 'continue button'),
  'sim:power_button_pressed': input({}, () => '', toPart('piix4-pm')),
  /** A person changed the past or the present of a fork: `what` names it, `value` is its JSON. */
  'sim:intervened': input({ what: 'text', value: 'text' }, (e) => `${e.what} ${e.value}`, 'debugger'),
  /** A field of the state that a person set; value: JSON. */
  'sim:state_set': fact({ path: 'text', value: 'text' }, (e) => `${e.path} = ${e.value}`),
  /** A vector of a local APIC that a person requested, or took away. */
  'sim:vector_set': fact(
    { vcpu_id: 'u', vector: 'u', pending: 'bool' },
    (e) => `vcpu ${e.vcpu_id} vector ${e.vector} ${e.pending ? 'requested' : 'taken away'}`,
  ),
  /** From here on the run is another than the one it was taken from, which is named. */
  'sim:forked': input({ parent: 'text' }, (e) => `from ${e.parent}`, 'timeline'),
  /** The run is over because somebody outside ended it, not the guest. */
  'sim:stopped': input({ by: 'text' }, (e) => `by ${e.by}`, 'recorder'),

  /** Whose turn it is, and for how many ticks; `draw`: which number of the stream `scheduler`, 0 if none was drawn. */
  'sim:thread_switch': fact(
    { from: 'u', to: 'u', quantum: 'u', draw: 'u', ns: 'u' },
    (e) => `from vcpu${e.from} to vcpu${e.to} quantum ${e.quantum}`,
  ),
  /** The vCPU whose turn it is gives it up. */
  'sim:turn_yielded': fact({ vcpu_id: 'u' }, (e) => `vcpu ${e.vcpu_id}`),
  /** A thread that slept is to act at `at`; thread: its number as a source of events. */
  'sim:thread_woken': fact({ thread: 'u', at: 'u' }, (e) => `thread ${e.thread} at ${e.at} ns`),
  /** A thread dealt with one piece of work, of so many elements, and is busy with it until `until`. */
  'sim:thread_ran': fact(
    { thread: 'u', elements: 'u', until: 'u' },
    (e) => `thread ${e.thread} ${e.elements} elements until ${e.until} ns`,
  ),
  /** deadline: virtual nanoseconds since power-on. `kvm-` timers are the kernel's, the others a device's. */
  'sim:timer_arm': fact({ id: 'text', deadline: 'u' }, (e) => `${e.id} deadline ${e.deadline} ns`),
  'sim:timer_cancel': fact({ id: 'text', deadline: 'u' }, (e) => `${e.id} deadline ${e.deadline} ns`),
  'sim:timer_fire': fact({ id: 'text', deadline: 'u' }, (e) => `${e.id} deadline ${e.deadline} ns`),
  'sim:idle_warped': fact({ from: 'u', to: 'u' }, (e) => `from ${e.from} to ${e.to} ns`),
  /** Chance that was drawn. Its tick is that of the instruction that asked. */
  'sim:random_drawn': fact({ stream: 'text', value: 'u64' }, (e) => `${e.stream} 0x${hex(e.value)}`),
  /** Chance for a device, as bytes: four of each number of the stream. */
  'sim:entropy_drawn': fact(
    { dev: 'text', stream: 'text', bytes: 'bytes' },
    (e) => `dev ${e.dev} ${e.stream} ${e.bytes.length} bytes`,
  ),
  'sim:guest_pt_write': fact(
    { vcpu_id: 'u', gpa: 'u', old: 'u64', new: 'u64' },
    (e) => `vcpu ${e.vcpu_id} gpa 0x${hex(e.gpa)} old 0x${hex(e.old)} new 0x${hex(e.new)}`,
  ),
  /** User space made memory of its own: host-virtual addresses from `hva` on. */
  'sim:mmap': fact({ fd: 'text', len: 'u', hva: 'u' }, (e) => `fd ${e.fd} len 0x${hex(e.len)} hva 0x${hex(e.hva)}`),

  'sim:exit_requested': fact({ status: 'u' }, (e) => `status ${e.status}`),
  'sim:powered_off': fact({}, () => ''),
  'sim:guest_panicked': fact({ by: 'text' }, (e) => `by ${e.by}`),

  /** Of each slice of the state, in the order of reducers/slices.ts, four bytes. */
  'sim:digest': fact({ slices: 'bytes' }, (e) => hexBytes(e.slices)),
  /** Of guest memory, EPT pages and registers. */
  'sim:memory_digest': fact({ memory: 'text' }, (e) => e.memory),
  /** An event of a kind this version does not know: read from another version's trace. */
  'sim:unknown': fact({ name: 'text', value: 'text' }, (e) => `${e.name}: ${e.value}`),
} as const;
