import * as z from 'zod';
import { fileName } from '../../base/file-name.ts';
import { Problem, shortly } from '../../base/problem.ts';
import { FORMAT_NAMES } from '../../block/formats.ts';
import { DISK_OPERATIONS, ERROR_POLICIES } from '../../devices/device.ts';
import type { Base } from '../../memory/sparse.ts';
import { COSTS, type CostName } from '../../events/costs.ts';
import type { FwCfgFile, RunOptions } from './run-options.ts';
import type { NetdevConfig } from '../../vmm/config.ts';
import type { MachineConfig } from '../../vmm/index.ts';
import { BOOT_ORDER, BRIDGE_NAME, DRIVE_ID, FW_CFG_NAME, MOST, NETDEV_ID } from '../../vmm/limits.ts';
import type { DeviceOption, MachineOptions, NamedImage } from '../../vmm/options.ts';
import { SMBIOS_CHARACTERS } from '../../vmm/smbios/said.ts';
import type { Images } from './images.ts';
import { isModule } from './modules.ts';
import { RECORDED_WORLD, SERVED_FILES } from './world-schema.ts';

const MIB = 2 ** 20;

const LONGEST_TEXT = 2 ** 16;

/** A digest of memory at every instruction would take a run for ever. */
const LEAST_DIGEST_EVERY = 1000;

const cost = (name: CostName) => z.number().int().min(COSTS[name].least).max(MOST.costNs);

/** A cost of what there was not when traces were first recorded. */
const laterCost = (name: CostName) => cost(name).default(COSTS[name].usual);

/** Before costs were recorded there was one. */
const COSTS_ONCE = {
  exit: 600,
  'user-exit': 0,
  'main-loop-wake': COSTS['main-loop-wake'].usual,
  'worker-wake': COSTS['worker-wake'].usual,
  handler: COSTS.handler.usual,
  element: COSTS.element.usual,
  'disk-access': COSTS['disk-access'].usual,
  'disk-kib': COSTS['disk-kib'].usual,
  'disk-flush': COSTS['disk-flush'].usual,
  'link-hop': COSTS['link-hop'].usual,
  'link-kib': COSTS['link-kib'].usual,
};

const BOOT = z.object({
  order: z.string().regex(BOOT_ORDER).optional(),
  menu: z.boolean().optional(),
  splashTime: z.number().int().min(0).max(MOST.splashTime).optional(),
  rebootTimeout: z.number().int().min(-1).max(MOST.rebootTimeout).optional(),
  strict: z.boolean().optional(),
});

const SMBIOS = z.object({
  fields: z.record(z.string(), z.record(z.string(), z.string().max(SMBIOS_CHARACTERS))),
  strings: z.array(z.string().max(SMBIOS_CHARACTERS)).max(255),
});

const FW_CFG_FILE = z.object({
  name: z.string().regex(FW_CFG_NAME),
  /** Absent: the image of role `fw-cfg:NAME`. */
  text: z.string().optional(),
});

const SECTOR = z
  .number()
  .int()
  .min(0)
  .max(MOST.driveBytes / 512);

const FAULT = z.object({
  errno: z.number().int().min(1).max(MOST.errno),
  op: z.enum(DISK_OPERATIONS).optional(),
  sectors: z.object({ first: SECTOR, count: SECTOR }).optional(),
  at: z.number().int().min(0).optional(),
  once: z.boolean(),
});

/** A drive with the image it is made from. */
const DRIVE = z.object({
  id: z.string().max(MOST.driveId).regex(DRIVE_ID),
  format: z.enum(FORMAT_NAMES),
  /** The image's name, and its length as a file. */
  name: z.string().max(LONGEST_TEXT),
  bytes: z.number().int().min(1).max(MOST.driveBytes),
  sectors: z
    .number()
    .int()
    .min(1)
    .max(MOST.driveBytes / 512),
  readOnly: z.boolean(),
  writeCache: z.boolean(),
  noFlush: z.boolean(),
  discards: z.boolean(),
  serial: z.string().max(LONGEST_TEXT),
  rerror: z.enum(ERROR_POLICIES).optional(),
  werror: z.enum(ERROR_POLICIES).optional(),
  jitter: z.number().int().min(0).max(MOST.jitterNs).optional(),
  faults: z.array(FAULT).max(MOST.faults).readonly().optional(),
});

export type DriveDescription = Readonly<z.infer<typeof DRIVE>>;

const PROPERTIES = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const NETDEV = z.object({
  type: z.string().max(MOST.driveId),
  id: z.string().max(MOST.driveId).regex(NETDEV_ID),
  hub: z.number().int().min(0).max(MOST.hub).optional(),
  netdev: z.string().max(MOST.driveId).optional(),
  properties: PROPERTIES,
  served: SERVED_FILES.optional(),
  world: RECORDED_WORLD.optional(),
});

const BRIDGE = z.object({
  name: z.string().regex(BRIDGE_NAME),
  ports: z.array(z.string().max(MOST.driveId)).max(MOST.ports),
  stp: z.boolean(),
  ageing: z.number().int().min(0).max(MOST.ageingNs),
  mtu: z.number().int().min(MOST.mtu.least).max(MOST.mtu.most),
  priority: z.number().int().min(0).max(0xffff),
  number: z.number().int().min(0).max(0xff).optional(),
  address: z.string().max(MOST.driveId).optional(),
});

const areWithin = (drives: readonly DriveDescription[]): boolean =>
  drives.reduce((sum, { sectors }) => sum + sectors * 512, 0) <= MOST.drivesBytes;

const areNamedApart = (drives: readonly DriveDescription[]): boolean =>
  new Set(drives.map(({ id }) => id)).size === drives.length;

/** Everything about a machine but the bytes of its images: what the header of a trace keeps to build it again. */
const MACHINE_DESCRIPTION = z.object({
  memory: z.number().int().min(1).max(MOST.memoryMiB),
  /** 0: a Linux alone, which has bridges. */
  smp: z.number().int().min(0).max(MOST.cpus),
  append: z.string().max(LONGEST_TEXT),
  cpu: z.string().max(LONGEST_TEXT).optional(),
  devices: z
    .array(
      z.object({
        driver: z.string(),
        /** Absent: nobody gave it a name. */
        id: z.string().max(MOST.driveId).regex(DRIVE_ID).optional(),
        properties: PROPERTIES,
      }),
    )
    .max(MOST.devices),
  /** Absent: none. */
  drives: z
    .array(DRIVE)
    .max(MOST.drives)
    .refine(areNamedApart, 'two drives have one id')
    .refine(areWithin, 'more bytes than drives have')
    .optional(),
  /** Ids of I/O threads. Absent: none. */
  iothreads: z.array(z.string().max(MOST.driveId)).max(MOST.iothreads).optional(),
  /** Backends and ports of hubs. Absent: none. */
  netdevs: z.array(NETDEV).max(MOST.netdevs).optional(),
  bridges: z.array(BRIDGE).max(MOST.bridges).optional(),
  serialLines: z.number().int().min(0).max(MOST.serialLines),
  noDefaults: z.boolean(),
  noReboot: z.boolean(),
  nsPerTick: z.number().int().min(1).max(MOST.nsPerTick),
  costs: z
    .object({
      exit: cost('exit'),
      'user-exit': cost('user-exit'),
      'main-loop-wake': cost('main-loop-wake'),
      'worker-wake': cost('worker-wake'),
      handler: cost('handler'),
      element: cost('element'),
      'disk-access': laterCost('disk-access'),
      'disk-kib': laterCost('disk-kib'),
      'disk-flush': laterCost('disk-flush'),
      'link-hop': laterCost('link-hop'),
      'link-kib': laterCost('link-kib'),
    })
    .default(COSTS_ONCE),
  digestEvery: z.union([z.literal(0), z.number().int().min(LEAST_DIGEST_EVERY)]),
  boot: BOOT.optional(),
  smbios: SMBIOS.optional(),
  fwCfg: z.array(FW_CFG_FILE).max(MOST.fwCfgFiles).optional(),
  /** Seconds the real-time clock is ahead of UTC; usually 0. */
  rtcAhead: z.number().int().optional(),
  /** Events between two digests of the state's slices, where a check wants more than the usual ones. */
  eventsPerDigest: z.number().int().positive().optional(),
  guestPageTables: z.boolean(),
  /** Where each image was, by role. */
  paths: z.record(z.string(), z.string().max(LONGEST_TEXT)),
});

export type MachineDescription = z.infer<typeof MACHINE_DESCRIPTION>;

/** Ticks between two digests in the stream of events. */
const DIGEST_EVERY = 50_000_000;

/** A file's bytes are an image's, and not kept here. */
const kept = (file: FwCfgFile) => ('text' in file ? { ...file } : { name: file.name });

const keptNetdev = (netdev: NetdevConfig) => structuredClone(netdev) as z.infer<typeof NETDEV>;

/** What of a machine the command line alone does not say. */
export interface Found {
  /** Seconds its real-time clock is ahead of UTC. */
  readonly rtcAhead?: number;
  /** Its drives, as their images have them. */
  readonly drives?: readonly DriveDescription[];
  /** Its networks, with the files they serve. */
  readonly netdevs?: readonly NetdevConfig[];
  /** Its devices, as their ROMs have them. */
  readonly devices?: readonly DeviceOption[];
}

/** What the command line asked for, as a trace keeps it. */
export function describeMachine(
  options: RunOptions,
  paths: Readonly<Record<string, string>>,
  { rtcAhead = 0, drives = [], devices = options.devices, netdevs = options.netdevs }: Found = {},
): MachineDescription {
  const { boot, smbios, fwCfg, bridges } = options;
  return {
    memory: options.ramBytes / MIB,
    smp: options.cpus,
    append: options.append,
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    devices: devices.map(({ properties, ...device }) => ({ ...device, properties: { ...properties } })),
    ...(drives.length === 0 ? {} : { drives: drives.map((drive) => ({ ...drive })) }),
    ...(options.iothreads.length === 0 ? {} : { iothreads: [...options.iothreads] }),
    ...(netdevs.length === 0 ? {} : { netdevs: netdevs.map(keptNetdev) }),
    ...(bridges.length === 0
      ? {}
      : { bridges: bridges.map(({ ports, ...bridge }) => ({ ...bridge, ports: [...ports] })) }),
    serialLines: options.serial.length,
    noDefaults: options.noDefaults,
    noReboot: !options.reboot,
    nsPerTick: options.nsPerTick,
    costs: { ...options.costs },
    digestEvery: DIGEST_EVERY,
    ...(boot === undefined ? {} : { boot: { ...boot } }),
    ...(smbios === undefined ? {} : { smbios: { fields: { ...smbios.fields }, strings: [...smbios.strings] } }),
    ...(fwCfg.length === 0 ? {} : { fwCfg: fwCfg.map(kept) }),
    ...(rtcAhead === 0 ? {} : { rtcAhead }),
    guestPageTables: options.guestPageTables,
    paths: { ...paths },
  };
}

/** The description in a trace's header. */
export function readDescription(machine: unknown, where: string): MachineDescription {
  const parsed = MACHINE_DESCRIPTION.safeParse(machine);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = shortly(issue?.path.join('.') ?? '');
  throw new Problem(`The machine in the header of ${where} cannot be read: ${place}: ${issue?.message ?? ''}.`);
}

/** What of a machine is in its state from the start: its shape, whatever its images hold. */
export function configurationOf(description: MachineDescription): Omit<MachineConfig, 'parts' | 'net'> {
  const { memory, smp, devices, serialLines, noReboot, nsPerTick, costs, digestEvery, paths } = description;
  const { boot, rtcAhead, drives, iothreads, netdevs, bridges } = description;
  const firmware = paths['bios'] !== undefined;
  return {
    ...{ memory, smp, devices, serialLines, firmware, noReboot, nsPerTick, costs, digestEvery },
    ...(boot?.order === undefined ? {} : { bootOrder: boot.order }),
    ...(drives === undefined ? {} : { drives: drives.map(({ format, name, bytes, ...drive }) => drive) }),
    ...(iothreads === undefined ? {} : { iothreads }),
    ...(netdevs === undefined ? {} : { netdevs }),
    ...(bridges === undefined ? {} : { bridges }),
    ...(rtcAhead === undefined ? {} : { rtcAhead }),
  };
}

/** What the monitor is given: the description with the images' bytes. */
export function machineOptions(
  description: MachineDescription,
  images: Images,
  disks: ReadonlyMap<string, Base> = new Map(),
): MachineOptions {
  const { memory, smp, append, cpu, devices, serialLines, noDefaults, noReboot, boot, smbios } = description;
  const fwCfg = fwCfgFiles(description, images);
  const rom = images.get('option-rom');
  const optionRoms = rom === undefined ? [] : [{ name: fileName(rom.name), bytes: rom.bytes, bootIndex: -1 }];
  const roles = ['kernel', 'initrd', 'bios'] as const;
  const named = Object.fromEntries(
    roles.flatMap((role) => {
      const image = images.get(role);
      return image === undefined ? [] : [[role, { name: image.name, bytes: image.bytes }]];
    }),
  ) as Pick<MachineOptions, (typeof roles)[number]>;
  const said = { memory, smp, append, cpu, devices, serialLines, noDefaults, noReboot, boot, smbios };
  const modules = [...images].filter(([role]) => isModule(role)).map(([, { name, bytes }]) => ({ name, bytes }));
  return { machine: 'pc', ...said, fwCfg, optionRoms, modules, disks, ...named };
}

function fwCfgFiles({ fwCfg = [] }: MachineDescription, images: Images): NamedImage[] {
  return fwCfg.map(({ name, text }) => {
    const bytes = text === undefined ? images.get(`fw-cfg:${name}`)?.bytes : new TextEncoder().encode(text);
    if (bytes === undefined) throw new Problem(`The file ${name} of -fw_cfg is not among the images of the trace.`);
    return { name, bytes };
  });
}
