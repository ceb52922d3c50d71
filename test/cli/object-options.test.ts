import { describe, expect, test } from 'vitest';
import { runOptions } from '../../src/options/run-arguments.ts';

const DISK = ['-drive', 'file=d.raw,if=none,id=d,format=raw'];

describe('-object', () => {
  test('is an I/O thread or a source of entropy, which devices name', () => {
    const options = runOptions([
      ...['-object', 'iothread,id=io0', '-object', 'iothread,id=io1,poll-max-ns=0', '-object', 'rng-builtin,id=r'],
      ...[...DISK, '-device', 'virtio-blk-pci,drive=d,iothread=io1', '-device', 'virtio-rng-pci,rng=r'],
    ]);
    expect(options.iothreads).toEqual(['io0', 'io1']);
    expect(options.warnings).toEqual([]);
  });

  test('says that no file is read for entropy', () => {
    const { warnings } = runOptions(['-object', 'rng-random,id=r,filename=/dev/urandom']);
    expect(warnings).toEqual([expect.stringContaining('no file is read')]);
  });

  test('is a dump of what passes a backend', () => {
    const { dumps } = runOptions([
      ...['-netdev', 'user,id=n0', '-object', 'filter-dump,id=f0,netdev=n0,file=a.pcap'],
      ...['-object', 'filter-dump,id=f1,netdev=n0,file=b.pcap,queue=rx,maxlen=96,status=on'],
      ...['-object', 'filter-dump,id=f2,netdev=n0,file=c.pcap,status=off'],
    ]);
    expect(dumps).toEqual([
      { id: 'f0', netdev: 'n0', path: 'a.pcap', queue: 'all', most: 65_536 },
      { id: 'f1', netdev: 'n0', path: 'b.pcap', queue: 'rx', most: 96 },
    ]);
  });

  test.each([
    [
      ['-nic', 'none', '-object', 'filter-dump,id=f,netdev=n0,file=x'],
      'netdev=n0 is no network backend. There is none',
    ],
    [['-netdev', 'user,id=a', '-object', 'filter-dump,id=f,netdev=b,file=x'], 'There are a.'],
    [['-object', 'filter-dump,id=f,file=x'], 'say whose packets'],
    [['-object', 'filter-dump,id=f,netdev=n0'], 'say where to, with file=NAME.'],
    [['-object', 'filter-dump,id=f,netdev=n0,file=x,maxlen=0'], 'maxlen'],
    [['-object', 'filter-dump,id=f,netdev=n0,file=x,queue=both'], 'queue is one of rx, tx, all.'],
    [['-object', 'filter-dump,id=f,netdev=n0,file=x,position=head'], 'position'],
    [
      ['f', 'g'].flatMap((id) => ['-object', `filter-dump,id=${id},netdev=n0,file=x`]),
      'x is written by another of these',
    ],
    [['-object', 'secret,id=s'], 'there is no such object. There are iothread, rng-builtin, rng-random, filter-dump.'],
    [['-object', '__proto__,id=s'], 'there is no such object.'],
    [['-object', 'iothread'], 'give it an id=NAME.'],
    [['-object', 'iothread,id=a b'], 'give it an id=NAME.'],
    [['-object', 'iothread,id=x', '-object', 'rng-builtin,id=x'], 'there is an object x already.'],
    [['-object', 'iothread,id=x,size=3'], 'size'],
    [[...DISK, '-device', 'virtio-blk-pci,drive=d,iothread=io'], 'iothread=io is no I/O thread. There is none'],
    [['-object', 'iothread,id=a', ...DISK, '-device', 'virtio-blk-pci,drive=d,iothread=io'], 'There are a.'],
    [['-device', 'virtio-rng-pci,rng=r'], 'rng=r is no object that has entropy. There is none'],
    [Array.from({ length: 17 }, (_, at) => ['-object', `iothread,id=i${at}`]).flat(), 'at most 16'],
  ])('%j is refused', (argv, why) => {
    expect(() => runOptions(argv)).toThrow(why);
  });
});
