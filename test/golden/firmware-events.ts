import { writeFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import { parseEvents, readRecording, type TracedEvent } from '../oracle/streams/event-reference.ts';

const COMPARED = /^kvm_(pio|msr|set_irq|pic_set_irq|ioapic_set_irq|ack_irq|eoi|apic|apic_ipi)$/;
const DEBUG_PORT = ' at 0x402 ';
/** The last access before the first timer interrupt: kvmvapic's ROM reports to its port. */
const LAST = 'pio_write at 0x7e ';

/** What firmware did to ports, MSRs and interrupt lines, with every value, from its first port access on. */
function firmwareEvents(events: readonly TracedEvent[]): string[] {
  const lines = events
    .filter(({ name, text }) => COMPARED.test(name) && !text.includes(DEBUG_PORT))
    .map(({ name, text }) => `${name} ${text}`);
  const first = lines.findIndex((line) => line.startsWith('kvm_pio'));
  return lines.slice(
    first,
    lines.findIndex((line) => line.includes(LAST)),
  );
}

/** The same of what `retrovisor events` printed. */
export const printedFirmwareEvents = (text: string): string[] => firmwareEvents(parseEvents(text));

/** Makes recorded/seabios.events.br: `npx tsx test/golden/firmware-events.ts RECORDING.ftrace.txt.gz OUT.events.br`. */
if (process.argv[1]?.endsWith('firmware-events.ts')) {
  const [recording, out] = process.argv.slice(2);
  if (recording === undefined || out === undefined) {
    console.error('usage: tsx test/golden/firmware-events.ts RECORDING.ftrace.txt.gz OUT.events.br');
    process.exit(2);
  }
  writeFileSync(out, brotliCompressSync(firmwareEvents(readRecording(recording)).join('\n')));
}
