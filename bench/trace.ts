import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { openTrace } from '../src/replay/trace/reader.ts';
import { createTraceWriter } from '../src/replay/trace/writer.ts';
import { SUBJECT, sampleEvents } from '../test/replay/trace/sample.ts';

/** Encode and decode speed of the trace format, in events per second of processor time. Goal: 1 M/s encoded. */
const COUNT = 400_000;
const events = sampleEvents(COUNT);

function encode(): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = createTraceWriter(
    { append: (bytes) => void parts.push(bytes) },
    (raw) => deflateRawSync(raw, { level: 1 }),
    SUBJECT,
  );
  for (const stamped of events) writer.append(stamped);
  writer.close();
  return new Uint8Array(Buffer.concat(parts));
}

function decode(bytes: Uint8Array): number {
  const source = {
    name: 'bench',
    size: bytes.length,
    read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
  };
  const trace = openTrace(source, (stored) => inflateRawSync(stored));
  return trace.chunks.reduce((sum, chunk) => sum + trace.readChunk(chunk).length, 0);
}

/** Processor time so far, so that other work on the machine does not count. */
const cpuMilliseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const millions = (milliseconds: number): string => (COUNT / milliseconds / 1000).toFixed(2);

encode();
for (let round = 0; round < 3; round += 1) {
  const start = cpuMilliseconds();
  const bytes = encode();
  const middle = cpuMilliseconds();
  decode(bytes);
  const end = cpuMilliseconds();
  console.log(
    `encode ${millions(middle - start)} M events/s, decode ${millions(end - middle)} M events/s, ` +
      `${(bytes.length / COUNT).toFixed(2)} bytes/event`,
  );
}
