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

  test.each([
    [['-object', 'secret,id=s'], 'there is no such object. There are iothread, rng-builtin, rng-random.'],
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
