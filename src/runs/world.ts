import type { ImageFile } from '../block/image-file.ts';
import type { Instantiate, TierOptions } from '../engine/index.ts';
import type { ImageIdentity } from '../replay/trace/header.ts';
import type { ByteSource, Inflate } from '../replay/trace/opened.ts';
import type { ByteSink, Compress } from '../replay/trace/writer.ts';

/** The parts an image can play in a machine. A multiboot kernel's first module is its `initrd`. */
export type ImageRole =
  | 'kernel'
  | 'initrd'
  | 'bios'
  | 'option-rom'
  | `module${number}`
  | RomRole
  | FwCfgRole
  | NetworkFileRole
  | Read;

/** What is read once, and is no image of the machine. */
type Read = 'capture' | 'world' | 'machines';

/** `romfile=` of the n-th `-device`, counted from 0. */
export type RomRole = `rom${number}`;

/** A file of `-fw_cfg`, by the name the guest sees. */
export type FwCfgRole = `fw-cfg:${string}`;

/** A file that a backend of `-netdev` serves: the backend's id, and what the device calls the file. */
export type NetworkFileRole = `net:${string}:${string}`;

/** How the path of our own guest begins, wherever the package lies. */
export const OWN_GUEST = 'own:';

/** A recorded file's bytes, until it is closed. */
export interface OpenedFile extends ByteSource {
  close(): void;
}

/** A file being written. */
export interface FileSink extends ByteSink {
  close(): void;
}

/** A file being written that has its name, and replaces what had it, only when it is closed. */
export interface WholeFile extends FileSink {
  /** Leave nothing behind. */
  drop(): void;
}

/** Files by their names. What goes wrong is a Problem that says what could not be done, where and why. */
export interface Files {
  /** A trace's bytes, or its checkpoints'. */
  open(path: string): OpenedFile;
  /** The checkpoints that belong to a trace, wherever they are kept; undefined when there are none. */
  openCheckpoints(trace: string): OpenedFile | undefined;
  /** Whether two names are one file's. */
  areSame(one: string, other: string): boolean;
  /** Throw unless a trace may be written here: over nothing or over a trace. */
  refuseOtherThanTrace(path: string): void;
  /** Start a trace, in pieces of so many bytes if they are given: read, they are one. */
  createTrace(path: string, pieceBytes?: number): FileSink;
  /** Start what is of no use in part. */
  createWhole(path: string, what: 'trace' | 'checkpoints' | 'pack' | 'capture'): WholeFile;
}

/** Where to look for a recorded image. */
export interface ImageSearch {
  /** The trace that names it. */
  readonly trace: string;
  /** Where it was. */
  readonly recorded: string;
  /** Where somebody says it is: nowhere else then. */
  readonly given: string | undefined;
  /** Files and folders somebody names among which it may be. */
  readonly among: readonly string[];
}

/** An image that was found. */
export interface FoundImage {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A disk's image by what a trace knows of it. */
export interface DiskIdentity {
  /** The drive's `id`, and the place of its image among the trace's. */
  readonly id: string;
  readonly image: number;
  readonly name: string;
  readonly bytes: number;
}

/** What a run changed of an image, in order. */
export type ImageChanges = Iterable<{ readonly at: number; readonly bytes: Uint8Array }>;

/** An image of another size: of its bytes those that it keeps, and how many it has in the end. */
export interface Resized {
  readonly kept: number;
  readonly size: number;
}

/** The images machines are made from. What goes wrong is a Problem. */
export interface ImageFiles {
  read(role: ImageRole, path: string): Uint8Array;
  /**
   * The files of a folder and of those below it, by their names in it with / between, sorted; a path that is not
   * absolute begins where `beside` lies, if that is not empty. Links are left out: they may lead anywhere.
   */
  list(folder: string, beside: string): readonly { readonly name: string; readonly path: string }[];
  /** The very image a trace was recorded with, by content; or why it is not found, as a clause. */
  find(identity: ImageIdentity, search: ImageSearch): FoundImage | string;
  /** A disk's image, to be read here and there. */
  openDisk(path: string): ImageFile;
  /**
   * The image a trace was recorded with, by its size and by `unlike`, which says why a file is not the one. Else why
   * it is not found. Both are clauses.
   */
  findDisk(
    identity: DiskIdentity,
    search: ImageSearch,
    unlike: (file: ImageFile) => string | undefined,
  ): ImageFile | string;
  /** Write what a run changed into a disk's image: all of it, or nothing. `resized`: it has another size then. */
  commitDisk(path: string, changes: ImageChanges, resized?: Resized): void;
  /** What somebody can do whose images are not found, as a sentence. */
  readonly hint: string;
}

/** An address of the host's network, as text, and a port. */
export interface HostPlace {
  readonly host: string;
  readonly port: number;
}

/** Where a socket is, or who is at its other end: an address, a unix socket's path, or a descriptor that is open. */
export type HostAddress = HostPlace | { readonly path: string } | { readonly fd: number };

/** Who hears what a connection's socket says. Errnos are Linux'. */
export interface StreamHears {
  /** It stands, with whom, if that one has an address; or it does not. */
  opened(errno: number, to?: HostPlace): void;
  data(bytes: Uint8Array): void;
  ended(): void;
  reset(errno: number): void;
}

/** A connection's socket. It is paused until somebody wants to hear its data. */
export interface HostStream {
  /** `taken` is called once the bytes are the host's. */
  write(bytes: Uint8Array, taken: () => void): void;
  /** No more is written. */
  shut(): void;
  pause(): void;
  resume(): void;
  /** It is over once it has said what was written: no program waits for that. */
  leave(): void;
  /** End it at once, by a reset. */
  destroy(): void;
}

/** A socket of datagrams. */
export interface HostDatagrams {
  send(bytes: Uint8Array, to: HostPlace): void;
  close(): void;
}

/** An interface of the host's kernel whose frames this program carries. */
export interface HostTap {
  send(frame: Uint8Array): void;
  close(): void;
}

/** Sockets of the host. What listens does so once its promise resolves; what cannot be is a Problem that says why. */
export interface HostNetwork {
  connect(to: HostAddress, hears: StreamHears): HostStream;
  /**
   * Run a program, without a shell, with the connection as its standard input and output. One that cannot be started
   * has said all it had to. It is ended with its connection.
   */
  run(program: readonly string[], hears: StreamHears): HostStream;
  listen(at: HostAddress, visited: (stream: HostStream, from: HostPlace) => StreamHears): Promise<() => void>;
  /** One that hears nobody but whom it is for. */
  datagramsTo(to: HostPlace, came: (bytes: Uint8Array) => void, failed: (errno: number) => void): HostDatagrams;
  datagramsAt(at: HostPlace, came: (bytes: Uint8Array, from: HostPlace) => void): Promise<HostDatagrams>;
  /** One of a group of IPv4, by the interface that has an address, or any. It hears what it says itself, too. */
  groupAt(
    group: HostPlace,
    own: string | undefined,
    came: (bytes: Uint8Array, from: HostPlace) => void,
  ): Promise<HostDatagrams>;
  /** A tap by a descriptor that is open. It is not read while nobody wants a frame. */
  openTap(fd: number, isWanted: () => boolean, came: (frame: Uint8Array) => void): HostTap;
  /** What a name stands for, or why nobody knows. */
  lookUp(name: string, family: 4 | 6): Promise<{ readonly addresses: readonly string[]; readonly errno: number }>;
}

/** What runs ask of the world they run in. A host implements it, a shell hands it in. */
export interface World {
  /** Version of Retrovisor that traces name as their writer. */
  readonly version: string;
  /** A digest of this program's code: what another build stored may have another shape. */
  programDigest(): string;
  /** Nanoseconds since 1970 (UTC). */
  wallClock(): bigint;
  /** Seconds that clocks on the wall here are ahead of UTC at a moment. */
  aheadOfUtc(wallClock: bigint): number;
  /** Milliseconds from some moment on, to measure by. */
  milliseconds(): number;
  /** Resolves once what else waits in the program has had its turn. */
  othersTurn(): Promise<void>;
  /** Have something done after so many milliseconds, if the program still runs. Returns how to take that back. */
  later(milliseconds: number, act: () => void): () => void;
  /** Have something done should the program end first. Returns how to take that back. */
  atExit(act: () => void): () => void;
  /** The engine's handlers, made to run. */
  readonly instantiate: Instantiate;
  /** The engine's handlers as a build of this very code emitted them; undefined: they are emitted when first needed. */
  readonly handlers?: Uint8Array | undefined;
  /** How the engine translates code that is executed often; undefined: not at all. */
  readonly tier?: Partial<TierOptions> | undefined;
  readonly inflate: Inflate;
  readonly compress: Compress;
  /** In hexadecimal digits. */
  sha256(bytes: Uint8Array): string;
  readonly files: Files;
  readonly images: ImageFiles;
  /** Absent where nobody may be reached. */
  readonly network?: HostNetwork;
}
