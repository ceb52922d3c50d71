/** Frames of a capture, byte by byte, but for fields that cannot be the same on two machines: tshark knows where. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readCapture } from '../../../../src/packets/capture-file.ts';
import { PLAIN_LANGUAGE } from '../../../stepping-aside.ts';

/** A field of a frame: where its bytes are, and what tshark shows of it. */
interface Field {
  readonly name: string;
  readonly at: number;
  readonly length: number;
  readonly show: string;
}

/** A frame as tshark reads it. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly fields: readonly Field[];
}

/** A field's first value; undefined: the frame has no such field. */
export const show = ({ fields }: Frame, name: string): string | undefined =>
  fields.find((field) => field.name === name)?.show;

export const numberOf = (frame: Frame, name: string): number => Number(show(frame, name) ?? Number.NaN);

/** Each frame by itself: positions are of its own bytes, not of what several were put together to. */
const ALONE = ['ip.defragment', 'ipv6.defragment', 'tcp.desegment_tcp_streams'].map((name) => `${name}:FALSE`);
const CHECKED = ['ip', 'tcp', 'udp'].map((name) => `${name}.check_checksum:TRUE`);

const FIELD = /<field name="([^"]+)"[^>]*?(?:size="(\d+)" pos="(\d+)"|pos="(\d+)")[^>]*?show="([^"]*)"/g;

/** Frames of a capture in their order. */
export function framesOf(capture: string): Frame[] {
  const options = [...ALONE, ...CHECKED].flatMap((option) => ['-o', option]);
  const pdml = execFileSync('tshark', ['-r', capture, ...options, '-T', 'pdml'], {
    ...{ encoding: 'utf8', maxBuffer: 1 << 30, env: PLAIN_LANGUAGE, stdio: ['ignore', 'pipe', 'ignore'] },
  });
  const packets = pdml.split('<packet>').slice(1);
  const raw = readCapture(capture, new Uint8Array(readFileSync(capture)));
  return raw.map(({ bytes }, index) => ({ bytes, fields: [...(packets[index] ?? '').matchAll(FIELD)].map(fieldOf) }));
}

const fieldOf = ([, name = '', length = '0', at = '', , shown = '']: readonly string[]): Field => ({
  ...{ name, at: Number(at), length: Number(length), show: shown },
});

/** A field of which other bytes than the frame's own are compared, or none, and why. */
export interface Exception {
  readonly field: string;
  readonly why: string;
  /** Of these frames only. */
  readonly of?: (frame: Frame) => boolean;
  /** Only so many of its bytes, from the first. */
  readonly most?: number;
  /** What is compared in its place, by the first frame its sender sent in the conversation; absent: nothing. */
  readonly instead?: (frame: Frame, first: Frame) => string;
}

/** A frame's bytes as digits, with what stands for a field in its place. */
export function text(frame: Frame, exceptions: readonly Exception[], first: Frame): string {
  const holes = frame.fields.flatMap((field) => {
    const exception = exceptions.find((each) => each.field === field.name && (each.of?.(frame) ?? true));
    if (exception === undefined || field.length === 0) return [];
    const said = exception.instead?.(frame, first) ?? '';
    const length = Math.min(field.length, exception.most ?? field.length);
    return [{ ...field, length, said }];
  });
  holes.sort((one, other) => one.at - other.at);
  let at = 0;
  let line = '';
  for (const { name, at: begins, length, said } of holes) {
    if (begins < at) continue;
    line += `${digits(frame.bytes.subarray(at, begins))} ${name}=${said} `;
    at = begins + length;
  }
  return line + digits(frame.bytes.subarray(at));
}

const digits = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
