import { createHash } from 'node:crypto';
import { runOptions } from '../../src/options/run-arguments.ts';
import type { CacheFills, GuestEngine } from '../../src/engine/index.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { assemble } from '../../src/runs/machine/assemble.ts';
import { NODE } from '../../src/host/node.ts';
import { identities, loadImages, OWN_GUEST_PATH } from '../../src/runs/machine/images.ts';
import { describeMachine } from '../../src/runs/machine/machine-description.ts';
import { compress, createTraceFile } from '../../src/host/trace-file.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type { PendingInput } from '../../src/machine/parts.ts';
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

const plain = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}` : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;

/** Build the machine that `retrovisor run` builds of these options, recorded when a trace is named. */
export function droppableMachine(options: readonly string[], seed: string, trace?: string): DroppableMachine {
  const chosen = runOptions([...options, '--wall-clock', '1700000000']);
  const images = loadImages(NODE, {
    kernel: chosen.kernel ?? OWN_GUEST_PATH,
    initrd: chosen.initrd,
    bios: chosen.bios,
  });
  const paths = Object.fromEntries([...images].map(([role, { path }]) => [role, path]));
  const description = describeMachine(chosen, paths);
  const file = trace === undefined ? undefined : createTraceFile(trace);
  const subject = { engineVersion: 'test', machine: description, images: identities(NODE, images), seed };
  const writer: TraceWriter | undefined = file === undefined ? undefined : createTraceWriter(file, compress, subject);
  const inputs: PendingInput[] = [];
  const hash = createHash('sha256');
  const output: number[] = [];
  let writes = 0;
  const hear = (stamped: Stamped): void => {
    const { event } = stamped;
    if (event.kind === 'sim:guest_pt_write') writes += 1;
    if (event.kind === 'sim:serial_sent' && event.line === 0) output.push(event.byte);
    if (writer === undefined) hash.update(JSON.stringify(stamped, plain));
    else writer.append(stamped);
  };
  const machine = createMachine(
    assemble({
      world: NODE,
      description,
      images,
      seed,
      wallClockAtPowerOn: 1_700_000_000n * 1_000_000_000n,
      inputs: { peek: () => inputs[0], take: () => void inputs.shift() },
      onEvent: hear,
    }),
  );
  const engine = machine.engine as GuestEngine;
  return {
    machine,
    inputs,
    dropCaches: () => engine.dropCaches(),
    cacheFills: () => engine.cacheFills,
    told: () => hash.copy().digest('hex'),
    tableWrites: () => writes,
    printed: () => Buffer.from(output).toString('latin1'),
    close() {
      writer?.close();
      file?.close();
    },
  };
}
