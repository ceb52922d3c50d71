import { describe, expect, test } from 'vitest';
import { USUAL_PACE } from '../../src/events/costs.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { typedLine } from '../../src/options/typed-line.ts';

const MIB = 2 ** 20;

describe('QEMU spelling', () => {
  test('the command lines of the documentation are understood', () => {
    const words = '-kernel vmlinuz -initrd ir.gz -m 256 -smp 2 -seed-free'.split(' ').slice(0, -1);
    expect(runOptions([...words, '-append', 'console=ttyS0 panic=-1'])).toMatchObject({
      kernel: 'vmlinuz',
      initrd: 'ir.gz',
      append: 'console=ttyS0 panic=-1',
      ramBytes: 256 * MIB,
      cpus: 2,
      serial: [{ to: 'stdio', monitor: true }],
      trace: 'retrovisor.trace',
    });
  });

  test('the command line of kvm-unit-tests is understood', () => {
    const devices = '-device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4';
    expect(runOptions(`-nodefaults ${devices} -display none -serial stdio -kernel x.flat`.split(' '))).toMatchObject({
      devices: [
        { driver: 'pc-testdev', properties: {} },
        { driver: 'isa-debug-exit', properties: { iobase: 0xf4, iosize: 4 } },
      ],
      serial: [{ to: 'stdio', monitor: false }],
      kernel: 'x.flat',
    });
  });

  test("gdb's options are QEMU's: -s, -S and -gdb with a port, on loopback unless told", () => {
    expect(runOptions([])).toMatchObject({ gdb: undefined, startsStopped: false });
    expect(runOptions(['-s', '-S'])).toMatchObject({ gdb: 1234, startsStopped: true });
    expect(runOptions(['-gdb', 'tcp::0'])).toMatchObject({ gdb: 0, startsStopped: false });
    expect(runOptions(['-gdb', 'tcp:localhost:99,server,nowait'])).toMatchObject({ gdb: 99 });
    expect(runOptions(['-gdb', 'tcp:0.0.0.0:99'])).toMatchObject({ gdb: 99, gdbAddress: '0.0.0.0' });
    expect(runOptions(['-gdb', 'tcp:[::1]:99'])).toMatchObject({ gdb: 99, gdbAddress: '::1' });
    expect(runOptions(['-gdb', 'tcp:localhost:99'])).toMatchObject({ gdbAddress: undefined, gdbWrites: undefined });
    expect(runOptions(['-s', '--allow-write', 'out'])).toMatchObject({ gdb: 1234, gdbWrites: 'out' });
    expect(() => runOptions(['--allow-write', 'out'])).toThrow('needs a -gdb');
    expect(() => runOptions(['-gdb', 'stdio'])).toThrow('write tcp::PORT');
    expect(() => runOptions(['-gdb', 'tcp::99999'])).toThrow('65535');
    expect(() => runOptions(['-s', '--checkpoints'])).toThrow('not both');
  });

  test('what the host does costs what --cost says, and else what it usually does', () => {
    expect(runOptions([]).costs).toEqual(USUAL_PACE.costs);
    const words = '--cost exit=0x10,user-exit=0 --cost element=7 --cost exit=20'.split(' ');
    expect(runOptions(words).costs).toEqual({ ...USUAL_PACE.costs, exit: 20, 'user-exit': 0, element: 7 });
  });

  test.each([
    ['exits=1', "there is no cost 'exits'. There are exit, user-exit, main-loop-wake, worker-wake, handler, element, "],
    ['toString=1', "there is no cost 'toString'"],
    ['600', 'write NAME=NS'],
    ['', 'write NAME=NS'],
    ['exit', 'write NAME=NS'],
    ['exit=', "'' is not a whole number from 0 to 1000000000"],
    ['exit=-1', "'-1' is not a whole number"],
    ['exit=1e9', "'1e9' is not a whole number"],
    ['exit=1000000001', 'from 0 to 1000000000'],
    ['handler=0', "'0' is not a whole number from 1 to"],
  ])('--cost %s is refused', (value, sentence) => {
    expect(() => runOptions(['--cost', value])).toThrow(sentence);
  });

  test("SeaBIOS' debug port goes to the chardev it names", () => {
    const words = '-m 64 -nodefaults -net none -chardev stdio,id=d -device isa-debugcon,iobase=0x402,chardev=d';
    expect(runOptions(words.split(' '))).toMatchObject({
      ramBytes: 64 * MIB,
      serial: [],
      devices: [{ driver: 'isa-debugcon', properties: { iobase: 0x402 } }],
      characters: [{ dev: 'isa-debugcon#0', backend: { to: 'stdio', monitor: false }, hears: false }],
    });
  });

  test('a pseudo terminal is called what QEMU calls it', () => {
    const words = '-serial none -serial pty -chardev pty,id=x -serial chardev:x -serial pty -debugcon pty';
    const { serial, characters } = runOptions(words.split(' '));
    const backends = [...serial, ...characters.map(({ backend }) => backend)];
    expect(backends).toEqual(['serial0', 'x', 'serial2', 'debugcon'].map((label) => ({ to: 'pty', label })));
  });

  test.each([
    ['256', 256 * MIB],
    ['256M', 256 * MIB],
    ['1G', 1024 * MIB],
    ['size=0.5G', 512 * MIB],
    ['2097152b', 2 * MIB],
  ])('-m %s is %d bytes', (text, bytes) => expect(runOptions(['-m', text]).ramBytes).toBe(bytes));

  test.each([
    ['2', 2],
    ['cpus=3', 3],
    ['4,sockets=2,cores=2', 4],
    ['cores=2,threads=2', 4],
    ['sockets=2', 2],
    ['maxcpus=3', 3],
    ['2,maxcpus=4,cores=2', 2],
  ])('-smp %s is %d processors', (text, cpus) => expect(runOptions(['-smp', text]).cpus).toBe(cpus));

  test.each([
    ['4,cores=4', []],
    ['4,sockets=1,threads=1', []],
    ['4,sockets=2', ['The processors are cores of one socket: -smp sockets= has no effect.']],
    ['cores=2,threads=2', ['The processors are cores of one socket: -smp threads= has no effect.']],
    ['4,sockets=2,dies=2', ['The processors are cores of one socket: -smp sockets= and dies= have no effect.']],
    ['2,maxcpus=4', ['No processor is added later: -smp maxcpus= has no effect.']],
  ])('-smp %s: what has no effect is said', (text, warnings) => {
    expect(runOptions(['-smp', text]).warnings).toEqual(warnings);
  });

  test('a value that looks like an option stays a value', () => {
    expect(runOptions(['-kernel', 'k', '-append', '-smp']).append).toBe('-smp');
  });

  test('two dashes mean the same as one', () => {
    expect(runOptions(['--kernel', 'k', '--no-reboot'])).toMatchObject({ kernel: 'k', reboot: false });
  });

  test('--no-trace records nothing and --trace names the file', () => {
    expect(runOptions(['--no-trace']).trace).toBeUndefined();
    expect(runOptions(['--trace', 'a.trace']).trace).toBe('a.trace');
  });

  test('time at power-on is read in both forms', () => {
    expect(runOptions(['--wall-clock', '1000']).wallClock).toBe(1_000_000_000_000n);
    expect(runOptions(['--wall-clock', '1970-01-01T00:00:01Z']).wallClock).toBe(1_000_000_000n);
    expect(runOptions([]).wallClock).toBeUndefined();
  });
});

describe('a wrong command line is answered with one sentence', () => {
  test.each([
    [['-kernle', 'x'], 'Unknown option -kernle.'],
    [['--sede', '1'], "Unknown option '--sede'"],
    [['-kernel'], "Option '-kernel <value>' argument missing"],
    [['-cpu', 'pentium5'], 'there is no model pentium5'],
    [['-cpu', 'max,+avx2,enforce'], 'the processor does not have avx2'],
    [['-bios', 'x', '-append', 'y'], '-append needs a -kernel'],
    [['-m', 'lots'], "'lots' is not a size"],
    [['-m', '16G'], 'must be between'],
    [['-smp', '5'], 'from 1 to 4'],
    [['-smp', '2,sockets=2,cores=2'], 'sockets (2) * dies (1) * cores (2) * threads (0) are not the 2 processors'],
    [['-smp', '4,cores=3'], 'sockets (1) * dies (1) * cores (3) * threads (1) are not the 4 processors'],
    [['-smp', '4,maxcpus=2'], 'maxcpus=2 are fewer than 4 processors'],
    [['-smp', '2,corse=2'], "unknown property 'corse'"],
    [['-chardev', 'pty,id=x,path=y'], "unknown property 'path'"],
    [['-serial', 'chardev:x'], 'no -chardev with id=x'],
    [['-serial', 'stdio', '-debugcon', 'stdio'], 'Only one'],
    [['-device', 'rtl8129'], '-device rtl8129: there is no such device'],
    [['-drive', 'file=x'], 'QEMU would take if=ide'],
    [['disk.img'], 'give a disk as -drive file=disk.img,if=virtio'],
    [['-initrd', 'x'], '-initrd needs a -kernel'],
    [['--events', 'all'], 'guest-pt'],
    [['--ticks', '-5'], 'whole number'],
    [['-machine', 'q35'], 'the only machine is pc'],
    [['-machine', 'pc,accel=tcg'], 'accel can only be kvm'],
    [['-machine', 'pc,nvdimm=on'], "unknown property 'nvdimm'"],
    [['-accel', 'tcg'], 'the only accelerator is kvm'],
    [['-vga', 'std'], '-vga std is not supported'],
    [['-nic', 'bogus'], '-netdev bogus: there is no such backend'],
    [['-netdev', 'stream,id=s'], 'say where, like addr.type=inet,addr.host=127.0.0.1,addr.port=4000'],
    [['-netdev', 'stream,id=s,addr.type=bogus'], 'addr.type=bogus is none of inet, unix and fd'],
    [['-netdev', 'stream,id=s,addr.type=inet,addr.host=h'], 'addr.type=inet needs addr.port='],
    [['-netdev', 'stream,id=s,addr.type=unix'], 'addr.type=unix needs addr.path='],
    [['-netdev', 'stream,id=s,addr.path=/x'], 'addr.path needs addr.type= of inet, unix or fd'],
    [['-netdev', 'stream,id=s,addr.type=unix,addr.path=/x,addr.port=4'], 'addr.type=unix has no addr.port'],
    [['-netdev', 'stream,id=s,reconnect=1'], "unknown property 'reconnect'"],
    [['-netdev', 'stream,id=s,server=maybe'], 'server=maybe is not on or off'],
    [['-netdev', 'stream,id=s,addr.type=inet,addr.host=h,addr.port=x'], 'addr.port is a number from 0 to 65535, not x'],
    [['-netdev', 'socket,id=s'], 'give it exactly one of listen=, connect=, mcast=, udp= and fd='],
    [['-netdev', 'socket,id=s,listen=:1,connect=:2'], 'give it exactly one of listen='],
    [['-netdev', 'socket,id=s,listen=:1,localaddr=127.0.0.1'], 'localaddr= goes with mcast= and udp= alone'],
    [['-netdev', 'socket,id=s,connect=localhost'], 'connect=localhost has no port: write HOST:PORT'],
    [['-netdev', 'socket,id=s,connect=h:70000'], 'the port of connect is a number from 0 to 65535, not 70000'],
    [['-netdev', 'socket,id=s,mcast=127.0.0.1:4'], 'mcast=127.0.0.1:4 is no group'],
    [['-netdev', 'socket,id=s,udp=127.0.0.1:4'], 'udp= needs localaddr=HOST:PORT'],
    [['-netdev', 'dgram,id=s'], 'say where frames come, with local.type=inet'],
    [['-netdev', 'dgram,id=s,local.type=inet,local.host=h,local.port=4'], 'say where frames go, with remote.type=inet'],
    [['-netdev', 'dgram,id=s,local.type=unix,local.path=/x'], 'local.type=unix cannot be had here, Node has no such'],
    [['-netdev', 'hubport,hubid=0'], 'give it an id=NAME'],
    [['-netdev', 'hubport,id=h'], 'say which hub, with hubid=N'],
    [['-netdev', 'hubport,id=h,hubid=0,netdev=x'], 'netdev=x is no net client'],
    [['-netdev', 'hubport,id=h,hubid=0', '-netdev', 'hubport,id=h,hubid=1'], 'there is a net client h already'],
    [['-net', 'nic,model=nope'], 'there is no card nope'],
    [['-net', 'nic,vlan=1'], "unknown property 'vlan'"],
    [['-monitor', 'stdio'], '-monitor stdio is not supported'],
    [['--type', 'after:x'], 'after:WAIT:TEXT'],
  ])('%j', (argv, words) => {
    expect(() => runOptions(argv)).toThrow(words);
    expect(() => runOptions(argv)).toThrow(/^[^\n]+\.$/);
  });
});

test('what QEMU command lines say and is so already changes nothing', () => {
  const said = '-machine pc-i440fx-7.2,accel=kvm,kernel_irqchip=on -accel kvm -vga none -monitor none';
  expect(runOptions(said.split(' '))).toEqual(runOptions([]));
  expect(runOptions(['-no-hpet']).warnings).toEqual(['The machine has an HPET: -no-hpet has no effect.']);
});

test('a feature the processor does not have is warned of and stays off', () => {
  expect(runOptions(['-cpu', 'qemu64,+avx2,+popcnt,+svm']).warnings).toEqual([
    '-cpu qemu64,+avx2,+popcnt,+svm: the processor does not have avx2, svm; that stays off.',
  ]);
  expect(runOptions(['-cpu', 'max,enforce,+bmi2']).warnings).toEqual([]);
});

describe('--type', () => {
  test.each([
    ['after:/ # :uname -a\\n', { after: '/ # ', text: 'uname -a\n' }],
    ['after:login\\: :root\\x0d', { after: 'login: ', text: 'root\r' }],
    ['echo a:b\\n', { after: '', text: 'echo a:b\n' }],
  ])('%s', (value, typed) => expect(typedLine(value)).toEqual(typed));
});
