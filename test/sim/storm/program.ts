import * as controllers from './controllers.ts';
import { Draw } from './draw.ts';
import * as ports from './ports.ts';
import { type Step, step } from './steps.ts';

type Weighed = readonly (readonly [weight: number, recipe: ports.Recipe])[];

/** What any processor does. */
const common = (cpu: number): Weighed => [
  [12, ports.anyPort],
  [4, ports.pic],
  [4, ports.pit],
  [5, ports.rtc],
  [6, ports.uart],
  [9, ports.keyboard],
  [2, ports.dma],
  [3, ports.pci],
  [1, ports.placed],
  [3, ports.power],
  [2, ports.testDevice],
  [2, ports.firmwareConfiguration],
  [10, controllers.lapic(cpu)],
  [6, controllers.ioapic],
  [6, controllers.hpet],
  [2, controllers.mapped],
  [6, controllers.msr],
  [3, controllers.instruction],
  [16, controllers.spin],
  [3, controllers.halt(cpu)],
];

/** What only the first one does: it goes on after whatever this leads to. */
const FIRST: Weighed = [
  [1, controllers.startOthers],
  [1, ports.restart],
];
const RARE = 60;

/** What the processors of a storm do. */
export interface Program {
  readonly seed: string;
  readonly cpus: number;
  /** Recipes of each processor: several steps each. */
  readonly recipes: number;
  /** Virtual nanoseconds per instruction, where it is not the usual number: more time passes in as many steps. */
  readonly nsPerTick?: number;
  /** It begins with a level that nobody takes away. */
  readonly stands?: boolean;
  /** It ends in a triple fault. */
  readonly panics?: boolean;
}

/** As slow as that, a second passes within a storm. */
const SLOW = 1000;

/** Steps of each processor. */
export function stormSteps(program: Program): readonly (readonly Step[])[] {
  const { seed, cpus, recipes, nsPerTick = 8, panics = false, stands = false } = program;

  return Array.from({ length: cpus }, (_, cpu) => {
    const draw = new Draw(seed, `storm${cpu}`);
    const often = common(cpu);
    const drawn = Array.from({ length: recipes }, () => {
      const isRare = cpu === 0 && draw.once(RARE);
      return draw.weighed(isRare ? FIRST : often)(draw);
    }).flat();
    if (cpu > 0) return [...controllers.xapic(cpu), ...drawn];
    const updates = nsPerTick < SLOW ? [] : [0, 1, 2].flatMap(() => ports.clockUpdate(nsPerTick, draw));
    const end = panics ? [step('tripleFault')] : ports.ending(draw);
    const begin = [...ports.placed(draw), ...(stands ? controllers.standing() : []), ...updates];
    return [...begin, ...controllers.startOthers(draw), ...drawn, ...end];
  });
}
