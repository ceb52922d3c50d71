import { Problem } from '../base/problem.ts';
import { Command, CommanderError, Option } from 'commander';
import { actionsAsked } from './actions.ts';
import { type AcceptedOptions, acceptedWarnings } from './accepted-options.ts';
import { type Chardevs, characterBackend, chardevs } from './character-backends.ts';
import { addDebugcon, checkDevices, devicesOf } from './device-options.ts';
import { costList, costsAsked } from './cost-options.ts';
import { gdbWanted } from './gdb-options.ts';
import { drivesAsked } from './drive-options.ts';
import { BRIDGE_HELP, bridgesAsked } from './bridge-options.ts';
import { networksAsked, withMacs } from './net-options.ts';
import { checkObjects, objectsAsked } from './object-options.ts';
import { bootAsked, fwCfgAsked, smbiosAsked } from './firmware-options.ts';
import { rtcAsked } from './rtc-option.ts';
import { QEMU_OPTIONS, withTwoDashes } from './qemu-spelling.ts';
import { commaValue, refuseOthers, sizeInBytes, virtualTime, wholeNumber } from './qemu-values.ts';
import type { CharacterBackend, DriveOption, RunOptions } from '../runs/machine/run-options.ts';
import { ENGINE_FEATURES, supportedCpuid } from '../kvm/vcpu/cpuid.ts';
import { missingFeatures, parseCpuModel } from '../vmm/cpu/model.ts';
import type { DriveConfig } from '../vmm/config.ts';
import { MOST } from '../vmm/limits.ts';
import { processorsAsked } from './smp-option.ts';
import { typedLine } from './typed-line.ts';
import { UsageProblem } from './usage.ts';
import { collect } from './collect.ts';

const MIB = 2 ** 20;
/** What commander collects; every value still text. */
interface RawOptions extends AcceptedOptions {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly bios?: string;
  readonly optionRom?: string;
  readonly m: string;
  readonly smp: string;
  readonly serial?: string[];
  readonly chardev?: string[];
  readonly debugcon?: string;
  readonly device?: string[];
  readonly netdev?: string[];
  readonly nic?: string[];
  readonly net?: string[];
  readonly bridge?: string[];
  readonly drive?: string[];
  readonly object?: string[];
  readonly snapshot?: boolean;
  readonly commit?: boolean;
  readonly nodefaults?: boolean;
  readonly reboot: boolean;
  readonly shutdown: boolean;
  readonly action?: string[];
  readonly rtc?: string;
  readonly boot?: string;
  readonly smbios?: string[];
  readonly uuid?: string;
  readonly fw_cfg?: string[];
  readonly seed: string;
  readonly trace: string | false;
  readonly tracePieces?: string;
  readonly quiet?: boolean;
  readonly gdb?: string;
  readonly s?: boolean;
  readonly S?: boolean;
  readonly allowWrite?: string;
  readonly checkpoints?: boolean;
  readonly ticks?: string;
  readonly powerLoss?: string;
  readonly events?: string[];
  readonly nsPerTick: string;
  readonly cost?: string[];
  readonly wallClock?: string;
  readonly type?: string[];
  readonly cpu?: string;
  readonly kernelName?: string;
}

/** An option as people type it: QEMU's with one dash. */
const qemuTerm = ({ flags, long }: Option): string =>
  long !== undefined && QEMU_OPTIONS[long.slice(2)] !== undefined ? flags.slice(1) : flags;

/** Options that each add something. */
const REPEATED: ReadonlySet<string> = new Set([
  'serial',
  'chardev',
  'device',
  'drive',
  'object',
  'netdev',
  'net',
  'nic',
  'action',
  'smbios',
  'fw_cfg',
]);

/** The `run` command as commander knows it: QEMU's options and ours. */
export function runCommand(name: string): Command {
  const command = new Command(name);
  command
    .description('Boot a guest, recorded. Options are spelled as QEMU spells them.')
    .usage('[options]')
    .allowExcessArguments(true)
    .configureHelp({ optionTerm: qemuTerm })
    .addOption(new Option('-m <size>', 'guest memory, in MiB or with k, M, G').default('128'));
  for (const [option, { argument, help }] of Object.entries(QEMU_OPTIONS)) {
    const made = new Option(argument ? `--${option} <value>` : `--${option}`, help);
    if (REPEATED.has(option)) made.argParser(collect);
    if (option === 'smp') made.default('1', '1');
    command.addOption(made);
  }
  return command
    .option('--seed <text>', 'the seed all chance is drawn from', '1')
    .option('--trace <file>', 'where the recording goes', 'retrovisor.trace')
    .option('--no-trace', 'do not record')
    .option('--allow-write <dir>', 'let commands of a gdb that comes by -gdb or -s write files, in this folder only')
    .option('--trace-pieces <size>', 'keep the recording in files of at most this size, in MiB or with k, M, G')
    .option('--quiet', 'say neither what is recorded where at the start, nor at the end what it came to')
    .option('--commit', 'write what the guest wrote to its disks into their images once the run is over')
    .option('--checkpoints', 'leave checkpoints beside the trace, as `retrovisor index` does afterwards')
    .option('--kernel-name <text>', "the name the guest sees for its kernel (default: the file's base name)")
    .option('--ticks <n>', 'stop after n instructions')
    .option(
      '--power-loss <moment>',
      'lose the power at this virtual time, like 2.5s, or after so many instructions: the run ends, and --commit ' +
        'writes what disks hold then, as `retrovisor disk FILE crash` has it',
    )
    .addOption(new Option('--events <family>', 'record more: guest-pt').argParser(collect))
    .addOption(new Option('--bridge <name,...>', BRIDGE_HELP).argParser(collect))
    .option('--ns-per-tick <n>', 'virtual nanoseconds per instruction', '8')
    .addOption(
      new Option('--cost <name=ns>', `virtual nanoseconds of what the host does: ${costList()}`).argParser(collect),
    )
    .option('--tier <word>', 'handlers, or translated[,threshold=N]: hot code is translated; the guest cannot tell')
    .option('--wall-clock <time>', "time at power-on: ISO form or seconds since 1970 (default: the host's)")
    .addOption(
      new Option(
        '--type <after:WAIT:TEXT>',
        'type TEXT once the guest has printed WAIT; again for the next line',
      ).argParser(collect),
    );
}

/** Who else is in a run of several machines. */
export interface Company {
  /** Addresses of cards, which no card here is given by itself. */
  readonly macsOfOthers?: Iterable<string>;
}

/** Understand the arguments of `retrovisor run`. Throws a UsageProblem naming the first thing wrong. */
export function runOptions(argv: readonly string[], { macsOfOthers = [] }: Company = {}): RunOptions {
  const command = runCommand('retrovisor run')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    command.parse(withTwoDashes(argv), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode !== 0) throw new UsageProblem(sentence(error.message));
    throw error;
  }
  const [stray] = command.args;
  if (stray !== undefined) {
    throw new UsageProblem(
      `'${stray}': give a disk as -drive file=${stray},if=virtio; load a guest with -kernel or -bios.`,
    );
  }
  return understood(command.opts<RawOptions>(), macsOfOthers);
}

const sentence = (message: string): string => {
  const text = message
    .replace(/^error: /, '')
    .replace(/--([a-z-]+)/, (option, name: string) => (QEMU_OPTIONS[name] === undefined ? option : `-${name}`))
    .replace(/\n\(D/, ' (d')
    .trim();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
};

function understood(raw: RawOptions, macsOfOthers: Iterable<string>): RunOptions {
  const byId = chardevs(raw.chardev ?? []);
  const found = boardAsked(raw, byId, macsOfOthers);
  const { devices, drives, netdevs, bridges } = found;
  const serial = serialLines(raw, byId);
  refuseTwoReaders([...serial, ...found.characters.map(({ backend }) => backend)]);
  refuseAlone(raw);
  const bytes = ramBytes(raw.m);
  const { cpus: smp, ...processors } = processorsAsked(raw.smp, MOST.cpus);
  const objects = objectsAsked(raw.object ?? []);
  checkObjects(objects, found);
  refuseIdleCommit(raw);
  const actions = actionsAsked(raw.action ?? [], { noReboot: !raw.reboot, noShutdown: !raw.shutdown });
  const fwCfg = fwCfgAsked(raw.fw_cfg ?? []);
  const rtc = rtcAsked(raw.rtc);
  refuseTwoTimes(raw, rtc.date);
  checkDevices({
    memory: bytes / MIB,
    smp,
    serialLines: serial.length,
    devices,
    drives: drives.map(ofUnknownSize),
    iothreads: objects.iothreads,
    ...{ netdevs, bridges },
    firmware: raw.bios !== undefined,
  });
  return {
    kernel: raw.kernel,
    kernelName: kernelName(raw),
    initrd: raw.initrd,
    append: raw.append ?? '',
    bios: raw.bios,
    optionRom: raw.optionRom,
    ramBytes: bytes,
    cpus: smp,
    cpu: cpuModel(raw.cpu),
    serial,
    characters: found.characters,
    devices,
    drives,
    ...{ netdevs, bridges },
    ...{ iothreads: objects.iothreads, dumps: objects.dumps },
    commits: raw.commit === true,
    noDefaults: raw.nodefaults === true,
    reboot: actions.reboots,
    keepsOff: actions.keepsOff,
    boot: bootAsked(raw.boot),
    smbios: smbiosAsked(raw.smbios ?? [], raw.uuid),
    fwCfg: fwCfg.files,
    localTime: rtc.localTime === true,
    seed: raw.seed,
    trace: raw.trace === false ? undefined : raw.trace,
    ...gdbWanted(raw),
    pieceBytes: pieceBytes(raw),
    startsStopped: raw.S === true,
    checkpoints: raw.checkpoints === true,
    ticks: raw.ticks === undefined ? undefined : wholeNumber('--ticks', raw.ticks, 0, Number.MAX_SAFE_INTEGER),
    powerLossAt: powerLossAt(raw),
    guestPageTables: guestPageTables(raw.events ?? []),
    nsPerTick: wholeNumber('--ns-per-tick', raw.nsPerTick, 1, MOST.nsPerTick),
    costs: costsAsked(raw.cost),
    wallClock: rtc.date ?? wallClock(raw.wallClock),
    quiet: raw.quiet === true,
    typed: (raw.type ?? []).map(typedLine),
    warnings: [
      ...acceptedWarnings(raw),
      ...processors.warnings,
      ...missingFeaturesOf(raw.cpu),
      ...actions.warnings,
      ...fwCfg.warnings,
      ...objects.warnings,
    ],
  };
}

/** Devices, drives and networks: each may bring along some of the others. */
function boardAsked(raw: RawOptions, byId: Chardevs, macsOfOthers: Iterable<string>) {
  const { netdevs, cards } = networksAsked(raw);
  const found = devicesOf(raw.device ?? [], byId, cards);
  if (raw.debugcon !== undefined) addDebugcon(found, raw.debugcon, byId);
  const { drives, devices: ofDrives } = drivesAsked(raw.drive ?? []);
  return {
    characters: found.characters,
    devices: withMacs([...found.devices, ...ofDrives], macsOfOthers),
    drives,
    netdevs,
    bridges: bridgesAsked(raw.bridge),
  };
}

/** Options that need another. */
function refuseAlone(raw: RawOptions): void {
  if (raw.checkpoints === true && raw.trace === false) throw new UsageProblem('--checkpoints needs a trace.');
  if (raw.optionRom !== undefined && raw.bios === undefined) throw new UsageProblem('-option-rom needs a -bios.');
  if (raw.append !== undefined && raw.kernel === undefined && raw.bios !== undefined) {
    throw new UsageProblem('-append needs a -kernel.');
  }
  if (raw.initrd !== undefined && raw.kernel === undefined) throw new UsageProblem('-initrd needs a -kernel.');
}

function refuseTwoTimes({ wallClock: given }: RawOptions, date: bigint | undefined): void {
  if (date === undefined || given === undefined) return;
  throw new UsageProblem('Give -rtc base=DATE or --wall-clock: both are the time of day at power-on.');
}

function powerLossAt({ powerLoss: text, gdb, s }: RawOptions): RunOptions['powerLossAt'] {
  if (text === undefined) return undefined;
  if (gdb !== undefined || s === true) throw new UsageProblem('Give -gdb or --power-loss, not both.');
  if (/[a-z]$/.test(text)) return { ns: virtualTime('--power-loss', text, Number.MAX_SAFE_INTEGER) };
  return { tick: wholeNumber('--power-loss', text, 0, Number.MAX_SAFE_INTEGER) };
}

/** What is checked before an image is looked at. */
const ofUnknownSize = ({ path, format, ...drive }: DriveOption): DriveConfig => ({ ...drive, sectors: 1 });

function refuseIdleCommit({ commit, drive = [], gdb, s }: RawOptions): void {
  if (commit !== true) return;
  if (drive.length === 0) throw new UsageProblem('--commit needs a -drive.');
  // A run that gdb stands in the past of has more than one end.
  if (gdb !== undefined || s === true) throw new UsageProblem('Give -gdb or --commit, not both.');
}

function kernelName({ kernel, bios, kernelName: name }: RawOptions): string | undefined {
  if (name === undefined) return undefined;
  if (kernel === undefined && bios !== undefined) throw new UsageProblem('--kernel-name needs a -kernel.');
  if (name === '' || /[\0-\x1f]/.test(name)) throw new UsageProblem('--kernel-name: a name has no control characters.');
  return name;
}

function serialLines(raw: RawOptions, byId: Chardevs): CharacterBackend[] {
  const { serial = [] } = raw;
  if (serial.length > MOST.serialLines) throw new UsageProblem(`-serial: the machine has ${MOST.serialLines} lines.`);
  // A line of `none` is no line: QEMU 7.2 does not even count it.
  const asked = serial.filter((text) => text !== 'none');
  if (serial.length > 0) {
    return asked.map((text, line) => characterBackend({ option: '-serial', label: `serial${line}` }, text, byId));
  }
  return raw.nodefaults ? [] : [{ to: 'stdio', monitor: true }];
}

function refuseTwoReaders(backends: readonly CharacterBackend[]): void {
  const readers = backends.filter(({ to }) => to === 'stdio');
  if (readers.length > 1) throw new UsageProblem('Only one of -serial, -debugcon and -chardev can have stdio.');
}

function ramBytes(text: string): number {
  const value = commaValue(text);
  refuseOthers('-m', value, ['size']);
  const bytes = sizeInBytes('-m', value.properties.get('size') ?? value.name ?? '', 'm');
  const rounded = Math.ceil(bytes / MIB) * MIB;
  if (rounded < MIB || rounded > MOST.memoryMiB * MIB) {
    throw new UsageProblem(`-m ${text}: guest memory must be between 1M and ${MOST.memoryMiB}M.`);
  }
  return rounded;
}

/** The smallest holds a header and some chunks. */
const SMALLEST_PIECE = 64 * 1024;

function pieceBytes({ trace, tracePieces }: RawOptions): number | undefined {
  if (tracePieces === undefined) return undefined;
  if (trace === false) throw new UsageProblem('--trace-pieces needs a trace.');
  const bytes = sizeInBytes('--trace-pieces', tracePieces, 'm');
  if (bytes >= SMALLEST_PIECE) return bytes;
  throw new UsageProblem(`--trace-pieces ${tracePieces}: a piece has at least 64k.`);
}

function cpuModel(text: string | undefined): string | undefined {
  try {
    if (text !== undefined) parseCpuModel(text);
    return text;
  } catch (error) {
    throw error instanceof Problem ? new UsageProblem(error.message) : error;
  }
}

function guestPageTables(families: readonly string[]): boolean {
  const unknown = families.flatMap((list) => list.split(',')).find((family) => family !== 'guest-pt');
  if (unknown !== undefined) throw new UsageProblem(`--events ${unknown}: the only further family is guest-pt.`);
  return families.length > 0;
}

function wallClock(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return BigInt(text) * 1_000_000_000n;
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) {
    throw new UsageProblem(`--wall-clock ${text}: write seconds since 1970 or a time like 2026-11-23T12:00:00Z.`);
  }
  return BigInt(milliseconds) * 1_000_000n;
}

/** What QEMU warns of: features asked for that the processor does not have. With `enforce` they end the run. */
function missingFeaturesOf(cpu: string | undefined): string[] {
  if (cpu === undefined) return [];
  const model = parseCpuModel(cpu);
  const missing = missingFeatures(supportedCpuid(ENGINE_FEATURES), model).join(', ');
  if (missing === '') return [];
  if (model.enforce) throw new UsageProblem(`-cpu ${cpu}: the processor does not have ${missing}.`);
  return [`-cpu ${cpu}: the processor does not have ${missing}; that stays off.`];
}
