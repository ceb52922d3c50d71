import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { fromHexadecimal, hexadecimal } from '../../../src/base/bytes.ts';

/** What happened at one end of a wire whose other end libslirp was. */
export interface Step {
  /** What is odd about it. */
  readonly note: string;
  readonly frame: Uint8Array;
  /** Milliseconds that passed after it. */
  readonly wait: number;
  /** What came back meanwhile. */
  readonly answers: readonly Uint8Array[];
}

/** One run of QEMU. */
export interface Scene {
  readonly name: string;
  /** Options of `-netdev user`, in order. */
  readonly options: readonly (readonly [name: string, value: string])[];
  readonly steps: readonly Step[];
}

const FILE = `${import.meta.dirname}/recorded/libslirp-4.7.0.br`;

const lineOf = ({ note, frame, wait, answers }: Step): string =>
  [`> ${wait} ${note}`, hexadecimal(frame), ...answers.map((answer) => `< ${hexadecimal(answer)}`)].join('\n');

const textOf = ({ name, options, steps }: Scene): string =>
  [`# ${name}`, ...options.map((option) => `= ${option.join('=')}`), ...steps.map(lineOf)].join('\n');

/** Write down what was recorded. */
export function writeScenes(scenes: readonly Scene[]): void {
  writeFileSync(FILE, brotliCompressSync(`${scenes.map(textOf).join('\n')}\n`));
}

function stepIn(text: string): Step {
  const [head = '', frame = '', ...answers] = text.trimEnd().split('\n');
  const [, wait = '', note = ''] = /^(\d+) (.*)$/.exec(head) ?? [];
  const bytes = answers.map((answer) => fromHexadecimal(answer.slice(2)));
  return { note, frame: fromHexadecimal(frame), wait: Number(wait), answers: bytes };
}

function sceneIn(text: string): Scene {
  const [head = '', ...steps] = text.split(/^> /m);
  const [name = '', ...options] = head.trimEnd().split('\n');
  const pairs = options.map((option): [string, string] => {
    const [key = '', ...value] = option.slice(2).split('=');
    return [key, value.join('=')];
  });
  return { name, options: pairs, steps: steps.map(stepIn) };
}

/** What libslirp 4.7.0 answered to a guest's frames. */
export const recordedScenes = (): readonly Scene[] =>
  brotliDecompressSync(readFileSync(FILE)).toString('utf8').split(/^# /m).slice(1).map(sceneIn);
