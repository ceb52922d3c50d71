import { createHash } from 'node:crypto';
import { runOptions } from '../../src/debugger/cli/run-arguments.ts';
import { type CacheFills, createEngine, type GuestEngine } from '../../src/engine/index.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { assemble } from '../../src/host/assemble.ts';
import { identities, loadImages, OWN_GUEST_PATH } from '../../src/host/images.ts';
import { instantiateHandlers } from '../../src/host/instantiate.ts';
import { describeMachine, type MachineDescription } from '../../src/host/machine-description.ts';
import { compress, createTraceFile } from '../../src/host/trace-file.ts';
import { createMachine, type Machine } from '../../src/reducers/machine.ts';
import type { MachineParts, PendingInput } from '../../src/reducers/parts.ts';
import { createTraceWriter, type TraceWriter } from '../../src/replay/trace/writer.ts';

/** A whole machine whose caches can be dropped, and what it told. */
export interface DroppableMachine {
  readonly machine: Machine;
  readonly inputs: PendingInput[];
  dropCaches(): void;
  cacheFills(): CacheFills;
  /** Digest of every event raised so far; of none when they are recorded. */
  told(): string;
  /** How many writes to page tables were told. */
  tableWrites(): number;
  /** Bytes the guest has sent over its first serial line. */
  printed(): string;
  close(): void;
}

const ROM_BYTES = 8 << 20;

const engineFor =
  ({ memory, guestPageTables }: MachineDescription, made: (engine: GuestEngine) => void): MachineParts['engine'] =>
  (time) => {
    const engine = createEngine({
      hostBytes: memory * 2 ** 20 + ROM_BYTES,
      instantiate: instantiateHandlers,
      hostTsc: () => time.hostTsc(),
      tscPerTick: time.tscPerTick,
      random: () => time.random(),
      ...(guestPageTables
        ? { onTableWrite: (write, vcpu, ticks) => time.tableWritten({ ...write, vcpu, ticks }) }
        : {}),
    });
    made(engine);
    return engine;
  };

const plain = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}` : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;

/** Build the machine that `retrovisor run` builds of these options, recorded when a trace is named. */
export function droppableMachine(options: readonly string[], seed: string, trace?: string): DroppableMachine {
  const chosen = runOptions([...options, '--wall-clock', '1700000000']);
  const images = loadImages({ kernel: chosen.kernel ?? OWN_GUEST_PATH, initrd: chosen.initrd, bios: chosen.bios });
  const paths = Object.fromEntries([...images].map(([role, { path }]) => [role, path]));
  const description = describeMachine(chosen, paths);
  const file = trace === undefined ? undefined : createTraceFile(trace);
  const subject = { engineVersion: 'test', machine: description, images: identities(images), seed };
  const writer: TraceWriter | undefined =
    file === undefined ? undefined : createTraceWriter(file, compress, subject);
  const inputs: PendingInput[] = [];
  const hash = createHash('sha256');
  const output: number[] = [];
  let engine: GuestEngine | undefined;
  let writes = 0;
  const hear = (stamped: Stamped): void => {
    if (stamped.event.kind === 'sim:guest_pt_write') writes += 1;
    if (writer === undefined) hash.update(JSON.stringify(stamped, plain));
    else writer.append(stamped);
  };
  const { parts } = assemble({
    description,
    images,
    seed,
    wallClockAtPowerOn: 1_700_000_000n * 1_000_000_000n,
    inputs: { peek: () => inputs[0], take: () => void inputs.shift() },
    engine: engineFor(description, (made) => {
      engine = made;
    }),
    onEvent: hear,
    onRequest(request) {
      if (request.ask === 'serial-output' && request.line === 0) output.push(request.byte);
    },
  });
  const machine = createMachine(parts);
  return {
    machine,
    inputs,
    dropCaches: () => engine?.dropCaches(),
    cacheFills: () => engine?.cacheFills ?? { translations: 0, codePages: 0 },
    told: () => hash.copy().digest('hex'),
    tableWrites: () => writes,
    printed: () => Buffer.from(output).toString('latin1'),
    close() {
      writer?.close();
      file?.close();
    },
  };
}
