/** What happens on the host takes virtual time: how much of it, as a machine was made. */

/** What has a cost, what it is at if nobody says otherwise, and what for. Virtual nanoseconds. */
export const COSTS = {
  /**
   * About what hardware takes for a light exit (kvm-unit-tests `vmexit` cpuid: 1200 to 2000 cycles). Were it nothing,
   * guests that time exits would wait for ever.
   */
  exit: { usual: 600, least: 0, what: "a VM exit and the kernel's work on it" },
  'user-exit': { usual: 2_000, least: 0, what: 'what a trip to user space takes besides' },
  'main-loop-wake': { usual: 5_000, least: 0, what: 'from a signal until the sleeping main loop acts on it' },
  'worker-wake': { usual: 2_000, least: 0, what: 'the same of an I/O thread or a vhost worker' },
  /** Not nothing: a thread that always finds more to do must let the others have their turns. */
  handler: { usual: 500, least: 1, what: 'one handler of a file descriptor' },
  element: { usual: 300, least: 0, what: 'each element it deals with' },
  /** A fast disk. Firmware polls: what a request takes longer it spends in exits. */
  'disk-access': { usual: 40_000, least: 0, what: 'a request of a disk' },
  'disk-kib': { usual: 256, least: 0, what: 'each KiB it reads or writes' },
  'disk-flush': { usual: 100_000, least: 0, what: "making a disk's writes durable" },
  /** A network of 10 Gb/s. */
  'link-hop': { usual: 10_000, least: 0, what: 'a packet on its way from a host of the world, or to one' },
  'link-kib': { usual: 820, least: 0, what: 'each KiB of it' },
} as const;

export type CostName = keyof typeof COSTS;

export type Costs = Readonly<Record<CostName, number>>;

export const COST_NAMES = Object.keys(COSTS) as readonly CostName[];

/** Those that are given, and what the others usually are. */
export const costsWith = (given: Partial<Costs>): Costs =>
  Object.fromEntries(COST_NAMES.map((name) => [name, given[name] ?? COSTS[name].usual])) as Costs;

/** What turns the events of a run into virtual time. */
export interface Pace {
  /** Virtual nanoseconds of an instruction. */
  readonly nsPerTick: number;
  readonly costs: Costs;
}

export const USUAL_PACE: Pace = { nsPerTick: 8, costs: costsWith({}) };
