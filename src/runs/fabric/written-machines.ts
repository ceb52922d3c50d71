/** What a file of machines may say. */
import * as z from 'zod';
import { virtualNs } from '../../base/virtual-time.ts';
import { BRIDGE_NAME, MOST } from '../../vmm/limits.ts';
import { MACHINE_NAME, MOST_LINKS, MOST_MACHINES } from './manifest.ts';

const OPTION = z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).max(256)]);
const OPTIONS = z.record(z.string().regex(/^[A-Za-z][\w-]*$/, 'is no name of an option'), OPTION);

const TIME = z.string().refine((text) => virtualNs(text) !== undefined, 'is no time like 50us, 2ms or 1.5s');

const CHANCE = z.number().min(0).max(1);

/** What befalls frames on a cable, by the names that options of `-netdev frames` have. */
const FAULTS = {
  jitter: TIME.refine((text) => (virtualNs(text) ?? 0) <= 1_000_000_000, 'is more than 1s').optional(),
  loss: CHANCE.optional(),
  reorder: CHANCE.optional(),
  duplicate: CHANCE.optional(),
  bandwidth: z.number().int().min(1000).max(1e12).optional(),
  mtu: z.number().int().min(68).max(65_535).optional(),
};

const CABLE = z.strictObject({
  between: z.tuple([z.string(), z.string()]),
  latency: TIME.optional(),
  ...FAULTS,
});

const PORT = z.union([z.string(), z.strictObject({ to: z.string(), latency: TIME.optional() })]);

/** What `--bridge` takes, and networks of its own, as `-netdev` has them. */
const BRIDGE = z.strictObject({
  ports: z.array(PORT).max(MOST.ports).optional(),
  stp: z.union([z.boolean(), z.enum(['on', 'off'])]).optional(),
  ageing: z.union([z.string(), z.literal(0)]).optional(),
  mtu: z.number().optional(),
  priority: z.number().optional(),
  address: z.string().optional(),
  netdev: z.union([z.string(), z.array(z.string()).max(MOST.ports)]).optional(),
  latency: TIME.optional(),
});

const MACHINES = z
  .record(z.string().regex(MACHINE_NAME, 'is no name of a machine: letters, digits, - and _'), OPTIONS)
  .refine((machines) => Object.keys(machines).length > 0, 'there is no machine')
  .refine((machines) => Object.keys(machines).length <= MOST_MACHINES, `there are more than ${MOST_MACHINES}`);

/** What such a file holds. The options of a machine have their own names, without the dash. */
export const MACHINE_FILE = z.strictObject({
  /** For every machine that does not say otherwise. */
  common: OPTIONS.optional(),
  machines: MACHINES,
  bridges: z
    .record(z.string().regex(BRIDGE_NAME, 'is no name of a bridge: one is like br0'), BRIDGE.nullable())
    .refine((bridges) => Object.keys(bridges).length <= MOST.bridges, `there are more than ${MOST.bridges}`)
    .optional(),
  /** Those nobody waits for: the run is over when all others are. */
  servers: z.array(z.string()).max(MOST_MACHINES).optional(),
  cables: z.array(CABLE).max(MOST_LINKS).optional(),
});

export type WrittenMachines = z.infer<typeof MACHINE_FILE>;
export type WrittenOptions = z.infer<typeof OPTIONS>;
export type WrittenCable = z.infer<typeof CABLE>;
export type WrittenBridge = z.infer<typeof BRIDGE>;
