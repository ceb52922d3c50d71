import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT, textOf } from './sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-compiler-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SRC = join(ROOT, 'src');
const IMPORTS = [
  `import { input, type Receiver } from '${SRC}/events/schema.ts';`,
  `import type { Effects } from '${SRC}/devices/device.ts';`,
  `import type { UartState } from '${SRC}/devices/uart16550/index.ts';`,
  `import type { Origin } from '${SRC}/events/origin.ts';`,
  `import type { Stamped } from '${SRC}/events/stamped.ts';`,
  `import type { EventKind } from '${SRC}/events/vocabulary.ts';`,
  `import type { Row, Rows } from '${SRC}/reducers/row.ts';`,
  `import type { MachineState } from '${SRC}/reducers/state.ts';`,
  `import { REDUCERS } from '${SRC}/reducers/table/index.ts';`,
  `import { hostPhysical } from '${SRC}/memory/host-physical.ts';`,
  `import type { Gfn, Gpa, Gva, Hpa, Hva, Ns, Seq, Tick } from '${SRC}/base/units.ts';`,
  'declare const effects: Effects; declare const uart: UartState;',
  'declare const origin: Origin; declare const state: MachineState; declare const stamped: Stamped;',
  'export type Used = [typeof input, Receiver, EventKind, Row<EventKind>, Rows<EventKind>, typeof REDUCERS];',
  'declare const gpa: Gpa; declare const gfn: Gfn; declare const hva: Hva;',
  'declare const ns: Ns; declare const seq: Seq;',
  'export const used = [origin, state, stamped, effects, uart, gpa, gfn, hva, ns, seq, hostPhysical];',
  'export type UsedUnits = [Gva, Hpa, Tick];',
];

/** What the compiler takes, and beside it what it refuses. */
const TAKEN: Readonly<Record<string, string>> = {
  'an input that somebody receives': "export const row = input({ key: 'u' }, () => '', 'recorder');",
  'a table with a row for each kind': 'export const rows: Rows<EventKind> = { ...REDUCERS };',
  'a fact with its fields': "origin.raise({ kind: 'kvm_pv_eoi', apicid: 0, vector: 32 });",
  'a fact that is a device’s own': "effects.raise({ kind: 'sim:serial_sent', line: uart.line, byte: 65 });",
  'a plain number for an address': 'export const a: Gpa = 0x1000; export const b: Gva = 0x1000n;',
  'what is reckoned from an address': 'export const a: Gpa = gpa + 4096; export const b: Hva = gpa - 4096 + hva;',
  'a place in host memory for one': 'export const a: Hpa = hostPhysical(hva);',
  'a look at the state': 'export const a: number = state.clock.warpedNs + state.kvm.vcpus.length + stamped.seq;',
};

const REFUSED: Readonly<Record<string, string>> = {
  'an input without a receiver': "export const row = input({ key: 'u' }, () => '');",
  'an input for a receiver there is none of': "export const row = input({ key: 'u' }, () => '', 'printer');",
  'a table without a row for a kind': [
    'const { kvm_exit: _, ...rest } = REDUCERS;',
    'export const rows: Rows<EventKind> = rest;',
  ].join('\n'),
  'a row for a kind there is none of': 'export const row: Rows<EventKind>["kvm_exits"] = REDUCERS.kvm_exit;',
  'a fact of a kind there is none of': "origin.raise({ kind: 'kvm_exits', vcpu_id: 0 });",
  'a fact without one of its fields': "origin.raise({ kind: 'kvm_pv_eoi', apicid: 0 });",
  'a guest-physical address for a host-virtual one': 'export const a: Hva = gpa;',
  'a guest-physical address given for a host-virtual one': 'export const a = hostPhysical(gpa);',
  'a host-virtual address for a host-physical one': 'export const a: Hpa = hva;',
  'a frame for an address': 'export const a: Gpa = stamped.seq === 0 ? gfn : 0;',
  'nanoseconds for ticks': 'export const a: Tick = ns;',
  'a tick for the cause of a fact': 'origin.after(stamped.tick);',
  'a sequence number for a tick': "origin.raise({ kind: 'kvm_pv_eoi', apicid: 0, vector: 32 }, seq);",
  'a stamp whose time is its number': 'export const a: Stamped = { ...stamped, tick: stamped.seq };',
  'a write to the clock': 'state.clock.warpedNs = 1;',
  'a write to a vCPU': 'state.kvm.vcpus[0]!.exits = 1;',
  'a write to a list of the state': 'state.kvm.vcpus.pop();',
  'a write to a device': "state.vmm.devices['hpet'] = state.vmm.devices['hpet'];",
  'a device that writes its state': 'uart.ier = 1;',
  'a device that raises what the board does':
    "effects.raise({ kind: 'sim:register_taken', dev: 'rtc', region: 0, offset: 0, size: 1 });",
  'a device that raises what KVM does': "effects.raise({ kind: 'kvm_pv_eoi', apicid: 0, vector: 32 });",
  'a write to a timer': "delete state.vmm.timers['rtc.update'];",
  'a write to an event': "stamped.event.kind = 'kvm_exit';",
  'a write to the links of an event': 'stamped.cause = 1;',
};

const fileOf = (name: string): string => `${name.replaceAll(/\W+/g, '-')}.ts`;

/** The compiler's complaints about each file, with the project's options. */
function complaints(sources: Readonly<Record<string, string>>): Map<string, string> {
  for (const [name, text] of Object.entries(sources)) {
    writeFileSync(join(folder, fileOf(name)), `${IMPORTS.join('\n')}\n${text}\n`);
  }
  const { compilerOptions } = JSON.parse(textOf('tsconfig.json')) as { compilerOptions: object };
  const elsewhere = { rootDir: '/', noEmit: true, rewriteRelativeImportExtensions: false };
  const options = { ...compilerOptions, ...elsewhere, typeRoots: [join(ROOT, 'node_modules/@types')] };
  const files = Object.keys(sources).map(fileOf);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8', cwd: folder });
  const found = new Map<string, string>();
  for (const line of stdout.split('\n').filter((each) => each.includes('error TS'))) {
    const name = Object.keys(sources).find((each) => line.includes(fileOf(each))) ?? 'elsewhere';
    found.set(name, line);
  }
  return found;
}

test('the compiler refuses what nobody receives, nobody reduces, nobody may write, and one unit for another', () => {
  const found = complaints({ ...TAKEN, ...REFUSED });
  expect([...found].filter(([name]) => REFUSED[name] === undefined)).toEqual([]);
  expect(Object.keys(REFUSED).filter((name) => !found.has(name))).toEqual([]);
});
