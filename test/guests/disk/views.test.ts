import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { printStatistics } from '../../../src/cli/stat-command.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { type DebugSession, openDebugSession } from '../../../src/debugger/session.ts';
import { NODE } from '../../../src/host/node.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { tool, without } from '../../stepping-aside.ts';
import { answer, printed, scratchFolder } from '../command-line.ts';
import { DISK_PROGRAM, diskFiles, DONE, makeDisk, recordDisk } from './guest.ts';
import { askedOfQemu } from './on-qemu.ts';

const folder = scratchFolder();
const { image, trace } = diskFiles(folder);
const STEPS = 'r2 w8=41&w9+3=42&w20=43 f r8+4 w900=1';

/** The devices of a tree as `info qtree` prints it, each with its bus and what is said of it. */
function devicesIn(text: string): { readonly bus: string; readonly name: string; readonly lines: string[] }[] {
  const found: { readonly bus: string; readonly name: string; readonly lines: string[] }[] = [];
  const open: { readonly depth: number; readonly bus?: string; readonly device?: string[] }[] = [];
  for (const line of text.trimEnd().split(/\r?\n/)) {
    const depth = line.search(/\S/);
    while ((open.at(-1)?.depth ?? -1) >= depth) open.pop();
    const [, bus] = /^ *bus: (.*)$/.exec(line) ?? [];
    const [, name] = /^ *dev: (.*, id ".*")$/.exec(line) ?? [];
    if (bus !== undefined) open.push({ depth, bus });
    else if (name === undefined) open.findLast(({ device }) => device !== undefined)?.device?.push(line.trim());
    else {
      const device: string[] = [];
      found.push({ bus: open.findLast((each) => each.bus !== undefined)?.bus ?? '', name, lines: device });
      open.push({ depth, device });
    }
  }
  return found;
}

describe('a disk and its device', () => {
  let recorded: RecordedTimeline;
  let session: DebugSession;
  const ask = (line: string): string => answerPrompt(session, line);

  beforeAll(() => {
    makeDisk(image, 64);
    expect(recordDisk(trace, image, STEPS).status).toBe(DONE);
    recorded = openTimeline(openRecordedRun(NODE, trace, {}));
    session = openDebugSession(recorded);
    return () => recorded.close();
  });

  test('show what is in flight: the chain in memory, the element, the request, and when it is due', () => {
    ask('break event virtio_blk_handle_write if sector == 9');
    expect(ask('continue')).toContain('virtio_blk_handle_write: vdev virtio-blk-pci#1 req 2 sector 9 nsectors 3');
    ask('delete');
    ask('at sim:device_notified');
    ask('continue virtio_blk_handle_write');
    const told = ask('virtq virtio-blk 0');
    expect(told).toMatch(/^virtio-blk-pci#1 queue 0: 256 descriptors, vector 0\n {2}descriptors at 0x\w+000, /);
    expect(told).toContain('  driver: index 4\n  device: index 1\n');
    expect(told).toContain('  the device has seen 4 and used 1: 0 waiting, 3 in flight\n');
    const requests = [...told.matchAll(/element (\d), head (\d): write offset 0x(\w+) length (\d+), due at (\d+) ns/g)];
    expect(
      requests.map(([, id, head, offset, length]) => [id, head, Number.parseInt(offset!, 16), Number(length)]),
    ).toEqual([
      ['1', '0', 8 * 512, 512],
      ['2', '3', 9 * 512, 3 * 512],
      ['3', '6', 20 * 512, 512],
    ]);
    expect(Number(requests[1]![5])).toBeGreaterThan(Number(requests[0]![5]));
    // Three descriptors each: header, data, status.
    expect(
      [...told.matchAll(/descriptor \d+: 0x\w+\+(\d+)( [a-z0-9, ]+)?/g)].map(([, length, how]) => [
        length,
        how?.trim(),
      ]),
    ).toEqual([
      ...[
        ['16', 'next 1'],
        ['512', 'next 2'],
        ['1', 'write'],
      ],
      ...[
        ['16', 'next 4'],
        ['1536', 'next 5'],
        ['1', 'write'],
      ],
      ...[
        ['16', 'next 7'],
        ['512', 'next 8'],
        ['1', 'write'],
      ],
    ]);
    expect(ask('info block')).toContain('Requests:         1 read; 0 failed, 3 in flight');
  });

  test('show nothing in flight once all is done, and what was used last', () => {
    ask('at end');
    const told = ask('virtq virtio-blk-pci#1 0');
    expect(told).toContain('the device has seen 7 and used 7: 0 waiting, 0 in flight');
    expect(told).toContain(
      'last used: 0 (513 bytes), 0 (1 bytes), 6 (1 bytes), 3 (1 bytes), 0 (1 bytes), 0 (2049 bytes)',
    );
    expect(ask('info block').split('\n').slice(1)).toEqual([
      '    Attached to:      /machine/peripheral-anon/device[1]/virtio-backend',
      '    Cache mode:       writeback',
      '    Requests:         2 read, 3 write, 1 flush; 0 failed, 0 in flight',
      '    Bytes:            2560 read, 2560 written; 0 writes not durable',
    ]);
  });

  test('show the vectors, what they are for and how KVM sends them', () => {
    ask('at start');
    expect(ask('msix')).toBe(
      [
        'virtio-blk-pci#1: MSI-X off, 2 vectors',
        '  0: address 0x00000000 data 0x00000000; not set; masked',
        '  1: address 0x00000000 data 0x00000000; not set; masked',
      ].join('\n'),
    );
    ask('at end');
    expect(ask('msix virtio').split('\n')).toEqual([
      'virtio-blk-pci#1: MSI-X on, 2 vectors',
      expect.stringMatching(
        /^ {2}0: address 0xfee00000 data 0x00000050; APIC 0 vector 80 Fixed; irqfd \d+ GSI \d+; for queue 0$/,
      ),
      '  1: address 0x00000000 data 0x00000000; not set; masked',
    ]);
  });

  test.each([
    ['virtq e1000', 'No virtio device is named e1000. There is virtio-blk-pci#1.'],
    ['virtq virtio 1', 'virtio-blk-pci#1 has queues 0 to 0: there is no 1.'],
    ['msix piix', 'No function with MSI-X is named piix. There is virtio-blk-pci#1.'],
  ])('%s: %s', (line, sentence) => expect(ask(line)).toBe(sentence));

  test('are as QEMU shows them', without(tool('qemu-system-x86_64')), async () => {
    const second = makeDisk(join(folder, 'second.raw'), 8);
    const drive = ['-drive', `file=${image},if=none,id=d,format=raw`];
    const properties = [
      ...['drive=e', 'id=blk-e', 'disable-legacy=on', 'serial=S1', 'logical_block_size=4k', 'physical_block_size=8k'],
      ...['min_io_size=4k', 'opt_io_size=1536k', 'discard_granularity=12k', 'write-cache=off', 'werror=stop'],
    ];
    const more = [
      ...['-drive', `file=${second},if=none,id=e,format=raw,readonly=on`],
      ...['-device', `virtio-blk-pci,${properties.join()}`, '-device', 'edu,id=sums', '-device', 'virtio-rng-pci'],
    ];
    const guest = ['-m', '16', '-device', 'isa-debug-exit,iobase=0xf8,iosize=4', ...drive];
    const options = [
      ...guest,
      '-device',
      'virtio-blk-pci,drive=d',
      '-kernel',
      DISK_PROGRAM,
      '-append',
      'r2 c0',
      ...more,
    ];
    const [pci, virtio, block, qtree] = await askedOfQemu(options, join(folder, 'qemu.serial'), [
      ...['info pci', 'info virtio', 'info block', 'info qtree'],
    ]);
    const own = join(folder, 'as-qemu.trace');
    recordDisk(own, image, 'r2 c0', more);
    const opened = openTimeline(openRecordedRun(NODE, own, {}));
    const there = openDebugSession(opened);
    there.at('end');
    const lines = (text: string): string[] => text.trimEnd().split(/\r?\n/);
    expect(lines(answerPrompt(there, 'info pci'))).toEqual(lines(pci!));
    expect(lines(answerPrompt(there, 'info virtio')).sort()).toEqual(lines(virtio!).sort());
    // QEMU names the node and the file; ours says what was done so far. Its firmware has used the second disk.
    const ofDrives = (text: string): string[] => lines(text).filter((line) => /^ {4}(Attached|Cache)/.test(line));
    expect(ofDrives(answerPrompt(there, 'info block'))).toEqual(ofDrives(block!));
    const ours = devicesIn(answerPrompt(there, 'info qtree'));
    const theirs = devicesIn(qtree!);
    const onPci = (all: typeof ours): string[] => all.flatMap(({ bus, name }) => (bus === 'pci.0' ? [name] : []));
    expect(onPci(ours)).toEqual(onPci(theirs));
    // QEMU has more properties, and more devices on ISA: what we have is there, on its bus, with its values.
    const told = (all: typeof ours): string[] =>
      all.flatMap(({ bus, name, lines: of }) => of.map((line) => `${bus} ${name} ${line}`));
    // Ours ends by a port that is none of QEMU's here, so that it answers; edu's mask is no property of QEMU's tree.
    const known = new Set([
      ...told(theirs),
      'isa.0 isa-debug-exit, id "" iobase = 244 (0xf4)',
      'pci.0 edu, id "sums" dma_mask = 268435455 (0xfffffff)',
    ]);
    expect(told(ours).filter((line) => !known.has(line))).toEqual([]);
    expect(told(ours).length).toBeGreaterThan(50);
    opened.close();
  });

  test('are counted by what was asked for, with the time it took', async () => {
    const stat = (options: Parameters<typeof printStatistics>[1]): Promise<string> =>
      printed((print) => printStatistics(trace, { event: 'disk', ...options }, print));
    const rows = (await stat({ as: 'json' }))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map(({ op, requests, failed, bytes }) => ({ op, requests, failed, bytes }))).toEqual([
      { op: 'write', requests: 3, failed: 0, bytes: 2560 },
      { op: 'read', requests: 2, failed: 0, bytes: 2560 },
      { op: 'flush', requests: 1, failed: 0, bytes: 0 },
    ]);
    // 40,000 ns and a quarter of one a byte, 100,000 for a flush: the machine's usual costs.
    expect(rows.map(({ ns_least }) => ns_least)).toEqual([40_128, 40_128, 100_000]);
    expect(rows[1]).toMatchObject({ ns_p50: 40_128, ns_most: 40_512 });
    expect(await stat({ condition: "op == 'read' && len > 512" })).toMatch(/\nd +read +1 +0 +2048 +40\.5/);
    expect((await stat({ as: 'csv' })).split('\n')[0]).toBe(
      'drive,op,requests,failed,bytes,ns,ns_least,ns_p50,ns_p90,ns_p99,ns_most,slowest',
    );
    expect((await answer(['stat', trace, '--event', 'disk', '--vcpu', '0'])).err).toContain('takes no --vcpu');
    expect((await answer(['stat', trace, '--event', 'dis'])).err).toContain('did you mean');
  });
});
