import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { type DebugSession, openDebugSession } from '../../../src/debugger/session.ts';
import { describeMonitor } from '../../../src/gdb/monitor.ts';
import { subjectOf } from '../../../src/gdb/subject.ts';
import { NODE } from '../../../src/host/node.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { recordTour, traceFolder } from '../recorded-tour.ts';

const folder = traceFolder();

/** Our own guest asks where the gateway is, and hears it. */
describe('packets at the prompt', () => {
  let recorded: RecordedTimeline;
  let session: DebugSession;
  const ask = (line: string): string => answerPrompt(session, line);

  beforeAll(() => {
    const trace = join(folder, 'tour.trace');
    recordTour(trace, ['-netdev', 'user,id=n0', '-device', 'e1000,id=nic,netdev=n0'], 700_000);
    recorded = openTimeline(openRecordedRun(NODE, trace, {}));
    session = openDebugSession(recorded);
    return () => recorded.close();
  });

  test('are stopped at by what they say, both ways', () => {
    ask('at start');
    ask('break packet n0 if arp.opcode == 2');
    expect(ask('continue')).toMatch(
      /^break packet n0 .*: #\d+ .* sim:packet_sent: n0 packet 1 .*: ARP, Reply 10\.0\.2\.2/,
    );
    ask('delete');
    ask('break packet if eth.dst == ff:ff:ff:ff:ff:ff');
    expect(ask('rcontinue')).toContain('sim:packet_sent: nic packet 0');
    ask('delete');
    expect(ask('find next break packet if tcp')).toContain('is not met after here');
  });

  test("have a way, at the prompt and in gdb's monitor", () => {
    const way = ask('why packet:0');
    expect(way).toMatch(/^packet 0, \d+ bytes, nic > n0: ARP, Request who-has 10\.0\.2\.2 tell 10\.0\.2\.15\n/);
    expect(way).toMatch(/^From no system call: /m);
    expect(way).toMatch(/^To the wire:\n.*kvm_exit: reason EPT_MISCONFIG/m);
    expect(way).toMatch(/^Answered by:\n.* packet 1 #\d+ of n0: ARP, Reply/m);
    expect(ask('why packet:1')).toMatch(/^It carries nothing for an application\.$/m);
    const answer = describeMonitor(subjectOf(recorded), 0, 'why packet:0');
    let step = answer.next();
    while (step.done !== true) step = answer.next();
    expect(step.value).toBe(way);
    expect(ask('why packet:x')).toContain('by its number');
    expect(ask('why packet:9')).toBe('The run has packets 0 to 1.');
  });

  test('wait where a card does not take them yet', () => {
    ask('at start');
    expect(ask('netq')).toContain('nic: nic, wire to n0\n    Sent:    0 packets, 0 bytes\n');
    ask('at sim:packet_queued');
    expect(ask('netq')).toMatch(/nic: nic[\s\S]* {4}Waiting: 1.*\n {6}packet 1 from n0, 64 bytes: ARP, Reply/);
    ask('at end');
    expect(ask('netq')).toMatch(/nic: nic[\s\S]* {4}Waiting: 0/);
  });
});
