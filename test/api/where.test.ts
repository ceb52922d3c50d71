import { fileURLToPath } from 'node:url';
import { filter, lastValueFrom, take, toArray } from 'rxjs';
import { expect, test } from 'vitest';
import { briefOf, openTrace, where } from '../../src/api/index.ts';
import { OTHERS } from '../packets/dissect/others.ts';

const TOUR = fileURLToPath(new URL('../../traces/tour.trace', import.meta.url));

test("a program asks for a run's events by the conditions the command line has", async () => {
  const trace = openTrace(TOUR);
  const meant = where('exit_reason == CPUID || kind == "kvm_cpuid" && function == 0');
  const found = await lastValueFrom(trace.events$.pipe(filter(meant), take(2), toArray()));
  trace.close();
  expect(found.map(({ event }) => event.kind)).toEqual(['kvm_exit', 'kvm_cpuid']);
  expect(briefOf(found[0]!.event)).toMatch(/^reason CPUID .*rip 0x/);
  expect(() => where('exit_reson == 1')).toThrow('(column 1)');
});

test('and asks packets for what is in them', () => {
  const bytes = OTHERS['a question of DNS']!;
  const event = {
    kind: 'sim:packet_sent',
    client: 'nic',
    packet: 7,
    bytes,
    due: 0,
    header: new Uint8Array(0),
  } as const;
  const stamped = { seq: 1, tick: 1, source: 0, cause: undefined, within: undefined, event };
  const other = { ...stamped, event: { kind: 'sim:packets_offered', client: 'nic' } as const };
  const asks = (condition: string): boolean[] => [stamped, other].map(where(condition));
  expect(asks("dns.qry.name == 'www.example.org' && udp.dport == 53")).toEqual([true, false]);
  expect(asks('packet == 7 && ip.dst == 10.0.2.3')).toEqual([true, false]);
  expect(asks('!tcp')).toEqual([true, false]);
  expect(asks("client == 'nic'")).toEqual([true, true]);
});
