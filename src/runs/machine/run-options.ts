import type { FormatName } from '../../block/formats.ts';
import type { Ns, Tick } from '../../base/units.ts';
import type { Costs } from '../../events/costs.ts';
import type { BridgeConfig, DriveConfig, NetdevConfig } from '../../vmm/config.ts';
import type { BootOptions, DeviceOption } from '../../vmm/options.ts';
import type { SmbiosSaid } from '../../vmm/smbios/said.ts';

/** Where the bytes of a character device go and come from. */
export type CharacterBackend =
  | { readonly to: 'none' }
  /** `monitor`: Ctrl-A leads to the monitor and out (QEMU's `mon:stdio`). */
  | { readonly to: 'stdio'; readonly monitor: boolean }
  | { readonly to: 'file'; readonly path: string }
  | PeerBackend;

/** What somebody can come to, and leave again. */
export type PeerBackend = SocketBackend | PtyBackend;

/** A socket that listens, or is connected. */
export interface SocketBackend {
  readonly to: 'socket';
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly server: boolean;
  /** The guest does not start before somebody is there. */
  readonly waits: boolean;
  readonly telnet: boolean;
}

/** A pseudo terminal, made when the run begins. */
export interface PtyBackend {
  readonly to: 'pty';
  /** What it is called where its path is said: `serial0`, or the id of its `-chardev`. */
  readonly label: string;
}

/** A device with a `-chardev`. */
export interface CharacterDevice {
  /** Its name in the machine, like `isa-debugcon#0`. */
  readonly dev: string;
  readonly backend: CharacterBackend;
  /** It takes what is typed. */
  readonly hears: boolean;
}

/** `-fw_cfg`: what a file of the firmware's configuration holds, or where that lies. */
export type FwCfgFile = { readonly name: string } & ({ readonly text: string } | { readonly path: string });

/** Wait until the guest printed `after`, then type `text`. */
export interface TypedLine {
  readonly after: string;
  readonly text: string;
}

/** `-drive`. */
export interface DriveOption extends Omit<DriveConfig, 'sectors'> {
  readonly path: string;
  /** `undefined`: the image shows. */
  readonly format: FormatName | undefined;
}

/** `-object filter-dump`: packets that pass an end of a wire, into a file of libpcap's. */
export interface DumpOption {
  readonly id: string;
  readonly netdev: string;
  readonly path: string;
  /** What is sent to it, what it sends, or both. */
  readonly queue: 'rx' | 'tx' | 'all';
  /** Bytes kept of a packet. */
  readonly most: number;
}

/** What `retrovisor run` was asked to do, after QEMU's spelling is understood. Paths are not opened yet. */
export interface RunOptions {
  readonly kernel: string | undefined;
  /** What the guest sees as its kernel's name; the file's base name when absent. */
  readonly kernelName: string | undefined;
  readonly initrd: string | undefined;
  readonly append: string;
  readonly bios: string | undefined;
  readonly optionRom: string | undefined;
  readonly ramBytes: number;
  readonly cpus: number;
  /** `-cpu`, understood by the machine. */
  readonly cpu: string | undefined;
  /** By line: COM1 first. */
  readonly serial: readonly CharacterBackend[];
  /** `-device` and `-debugcon`, in order. */
  readonly devices: readonly DeviceOption[];
  /** `-drive`, in order. */
  readonly drives: readonly DriveOption[];
  /** `-netdev`, and what `-nic` and `-net` stand for. */
  readonly netdevs: readonly NetdevConfig[];
  /** `--bridge`: bridges of the modelled Linux. Taps may name others. */
  readonly bridges: readonly BridgeConfig[];
  /** `-object iothread`: their ids. */
  readonly iothreads: readonly string[];
  /** `-object filter-dump`: what passes a backend is written down. */
  readonly dumps: readonly DumpOption[];
  /** Write what the guest wrote to drives back into their images once the run is over. */
  readonly commits: boolean;
  /** Devices that print, or hear. */
  readonly characters: readonly CharacterDevice[];
  /** `-boot`, where anything is said. */
  readonly boot: BootOptions | undefined;
  /** `-smbios` and `-uuid`. */
  readonly smbios: SmbiosSaid | undefined;
  readonly fwCfg: readonly FwCfgFile[];
  /** `-rtc base=localtime`. */
  readonly localTime: boolean;
  /** `-no-shutdown`: a guest that powers off leaves its machine standing until somebody ends the run. */
  readonly keepsOff: boolean;
  readonly noDefaults: boolean;
  readonly reboot: boolean;
  readonly seed: string;
  /** `undefined`: do not record. */
  readonly trace: string | undefined;
  /** Most bytes of a file of it; `undefined`: it is one file. */
  readonly pieceBytes: number | undefined;
  /** Port where a gdb may come; 0: a free one. */
  readonly gdb: number | undefined;
  /** Address it listens on; the loopback interface when absent. */
  readonly gdbAddress: string | undefined;
  /** Folder that gdb's commands may write files in; none when absent. */
  readonly gdbWrites: string | undefined;
  /** Wait for gdb, or the monitor's `cont`, before the first instruction. */
  readonly startsStopped: boolean;
  /** Leave checkpoints beside the trace. */
  readonly checkpoints: boolean;
  /** `--power-loss`: the run ends at this virtual time, or at this tick, and its drives lose what is not durable. */
  readonly powerLossAt: { readonly ns: Ns } | { readonly tick: Tick } | undefined;
  /** Stop after so many ticks. */
  readonly ticks: number | undefined;
  readonly guestPageTables: boolean;
  readonly nsPerTick: number;
  readonly costs: Costs;
  /** Nanoseconds since 1970 (UTC) at power-on; `undefined`: the host's clock, read once. */
  readonly wallClock: bigint | undefined;
  readonly typed: readonly TypedLine[];
  /** Say nothing of one's own but what went wrong. */
  readonly quiet: boolean;
  readonly warnings: readonly string[];
}
