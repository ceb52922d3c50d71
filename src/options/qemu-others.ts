/** Options of QEMU's that `run` does not have, with what is used here instead, or why there is nothing. */

const DISKS = 'give disks as -drive file=PATH,if=virtio';
const DISPLAY = 'there is no display: a guest is seen on its serial line, and by the debugger';
const AUDIO = 'there is no sound';
const MONITOR = 'Ctrl-A c on the console opens the monitor, and -gdb serves programs';
const MIGRATION = 'a run goes elsewhere as its trace: `retrovisor replay` and `retrovisor debug` take it';
const SANDBOX = 'a guest is a simulation in one process without privileges: confine that as any other';
const LOG = 'every run is recorded, and `retrovisor events` shows any part of it afterwards';
const USB = 'there is no USB';
const XEN = 'there is no Xen below: the hypervisor is KVM, simulated';
const TRANSLATION = 'nothing is translated: every instruction is counted, and `retrovisor debug` stops at any of them';

/** By name, without dashes. */
export const OTHERS_OF_QEMU: Readonly<Record<string, string>> = {
  // Standard options.
  numa: 'the machine is one node',
  'add-fd': 'files are named by their paths',
  set: 'say it in the -device itself: DRIVER,PROPERTY=VALUE',
  global: 'say it in the -device itself: DRIVER,PROPERTY=VALUE',
  'mem-path': "guest memory is always the process's own",
  'mem-prealloc': 'guest memory is always there from the start',
  k: DISPLAY,
  'audio-help': AUDIO,
  audio: AUDIO,
  audiodev: AUDIO,
  soundhw: AUDIO,
  // Block devices.
  ...named(DISKS, 'fda', 'fdb', 'hda', 'hdb', 'hdc', 'hdd', 'cdrom', 'blockdev', 'mtdblock', 'sd'),
  pflash: 'firmware is named as -bios FILE, and keeps no variables between runs',
  ...named('files reach a guest through its -initrd', 'fsdev', 'virtfs', 'iscsi'),
  // USB.
  usb: USB,
  usbdevice: USB,
  // Display.
  ...named(DISPLAY, 'spice', 'portrait', 'rotate', 'full-screen', 'vnc', 'curses', 'sdl'),
  // i386.
  'win2k-hack': DISKS,
  'no-fd-bootchk': 'there are no floppies: firmware has none to check',
  'no-acpi': 'the machine always has ACPI: Linux takes acpi=off in its -append',
  acpitable: "the tables are the machine's own; -smbios and -fw_cfg say what can be said",
  // Network.
  // TPM.
  tpmdev: 'there is no TPM',
  // Boot image or kernel specific.
  dtb: 'a PC has no device tree: ACPI tables describe the machine',
  compat: 'nothing is deprecated here',
  // Debug and expert options.
  qmp: MONITOR,
  'qmp-pretty': MONITOR,
  mon: 'give the console and its monitor as -serial mon:stdio',
  pidfile: 'a shell knows it: `echo $!` after `retrovisor run ... &`',
  singlestep: TRANSLATION,
  preconfig: 'all of a machine is said on the command line',
  overcommit: 'the processors of a guest take turns on one core, and its memory is always there',
  d: 'all it would log is recorded; for -d int: `retrovisor events TRACE --event kvm_inj_virq`',
  D: LOG,
  dfilter: `${LOG}: with --from and --to, by ticks`,
  seed: 'write --seed TEXT: all chance of a run is drawn from it',
  L: 'name firmware by its path: -bios FILE',
  'xen-domid': XEN,
  'xen-attach': XEN,
  'xen-domid-restrict': XEN,
  loadvm:
    'go to any moment of a recorded run: `retrovisor debug TRACE`, `at TICK`; `retrovisor fork` runs on from there',
  daemonize: 'let a shell do it: `retrovisor run -serial file:LOG ... &`',
  icount: 'time always is the count of instructions here: see --ns-per-tick and --cost',
  watchdog: 'there is no watchdog card',
  'watchdog-action': 'there is no watchdog card',
  echr: 'the key that leads to the monitor is Ctrl-A',
  incoming: MIGRATION,
  'only-migratable': MIGRATION,
  chroot: SANDBOX,
  runas: SANDBOX,
  sandbox: SANDBOX,
  'async-teardown': SANDBOX,
  readconfig: 'a shell script keeps a command line; of a trace `retrovisor info` shows the machine',
  trace: 'write --trace FILE for the recording; events are chosen afterwards: `retrovisor events FILE --event NAME`',
  plugin: "a program reads a run through the package's streams: docs/streams.md",
  msg: "messages begin with the program's name; events carry their time",
  'dump-vmstate': MIGRATION,
  'enable-sync-profile': "nothing waits for locks here: `retrovisor stat TRACE` shows where a guest's time goes",
};

function named(instead: string, ...options: readonly string[]): Record<string, string> {
  return Object.fromEntries(options.map((option) => [option, instead]));
}

/** What is used instead of a value that an option cannot have here. */
export const INSTEAD: Readonly<Record<string, string>> = {
  '-vga': DISPLAY,
  '-monitor': MONITOR,
  '-parallel': 'there is no parallel port: use -serial or -debugcon',
};
