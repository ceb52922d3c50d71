import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer, Region } from '../device.ts';
import type { Driver } from '../driver.ts';
import type { PropertiesOf } from '../properties.ts';
import { type Capability, capabilityOf, type MsixRow, placeCapabilities } from './capabilities.ts';
import {
  type ConfigLayout,
  functionAtReset,
  type PciBar,
  type PciFunction,
  type PciFunctionState,
  type PciIdentity,
  resetFunction,
} from './function.ts';
import { msixBar, msixRegions } from './msix.ts';
import { givenRom, ROM_PROPERTIES, type RomSetup, ROM_REGION, romBar, romRegion, romSize } from './rom.ts';

/** What a PCI function looks like to the bus. */
export interface PciShape {
  readonly identity: PciIdentity;
  readonly bars: readonly PciBar[];
  /** The function's own regions: `read`, `write` and the reducer number them from 0. */
  readonly regions: readonly Region[];
  readonly capabilities?: readonly Capability[];
  /** What the expansion ROM holds, where nobody gives it another. */
  readonly rom?: Uint8Array;
}

/** What a PCI model says of itself: header, capabilities, MSI-X table and expansion ROM are made from it. */
export interface PciModel<Own extends object, P extends object>
  extends PciShape,
    Pick<
      Driver<Own, P>,
      'name' | 'description' | 'category' | 'properties' | 'romfile' | 'chardev' | 'settle' | 'atReset'
    > {
  /** What it does. Its pin, if it has one, is `intx`. */
  create(setup: P): FunctionBody<PciFunctionState & Own>;
  readonly reducer: DeviceReducer<PciFunctionState & Own>;
}

/** A PCI model whose functions look as they were set up. */
export interface ShapedPciModel<Own extends object, P extends object>
  extends Pick<
    Driver<Own, P>,
    'name' | 'description' | 'category' | 'properties' | 'romfile' | 'chardev' | 'settle' | 'atReset'
  > {
  shape(setup: P): PciShape;
  create(setup: P): FunctionBody<PciFunctionState & Own>;
  reducerOf(setup: P): DeviceReducer<PciFunctionState & Own>;
}

export type FunctionBody<S extends PciFunctionState> = Omit<
  PciFunction<S>,
  'bars' | 'capabilities' | 'regions' | 'model' | 'pins'
>;

/** The driver of a PCI model. `atReset` is of the function's own state: header and MSI-X table come by themselves. */
export function pciDriver<Own extends object, P extends object>(
  model: PciModel<Own, P>,
): Driver<PciFunctionState & Own, P & RomSetup> {
  const { reducer } = model;
  return { ...shapedPciDriver({ ...model, shape: () => model, reducerOf: () => reducer }), reducer };
}

/** The same of one whose functions differ. */
export function shapedPciDriver<Own extends object, P extends object>(
  model: ShapedPciModel<Own, P>,
): Driver<PciFunctionState & Own, P & RomSetup> {
  const { properties: own, settle, ...rest } = model;
  const { name, create, atReset, reducerOf: ownReducer } = model;
  const properties = { ...own, ...ROM_PROPERTIES } as unknown as PropertiesOf<P & RomSetup>;
  const shape = (setup: P & RomSetup): PciShape => withRom(model.shape(setup), setup);
  return {
    ...rest,
    ...(own === undefined ? {} : { properties }),
    ...(settle === undefined ? {} : { settle: (setup, around) => ({ ...setup, ...settle(setup, around) }) }),
    bus: 'PCI',
    create(setup) {
      const shown = shape(setup);
      const { regions, layout } = facadeOf(shown);
      return functionOf(create(setup), { ...layout, model: name, regions }, shown.regions.length);
    },
    atReset(setup) {
      const shown = shape(setup);
      return { ...functionAtReset(shown.identity, facadeOf(shown).layout), ...atReset(setup) };
    },
    reducer: {},
    reducerOf(setup) {
      const shown = shape(setup);
      return reducerOf(ownReducer(setup), facadeOf(shown).layout, shown.regions.length);
    },
  };
}

/** Configuration space, and its own regions with those of MSI-X and the ROM. */
function facadeOf(shape: PciShape): { readonly layout: ConfigLayout; readonly regions: readonly Region[] } {
  const { regions, rom } = shape;
  const row = capabilityOf(placeCapabilities(shape.capabilities ?? []), 'msix');
  const more = [
    ...(row === undefined ? [] : msixRegions(row)),
    ...(rom === undefined ? [] : [romRegion(sizeOf(rom), rom)]),
  ];
  return { layout: layoutOf(shape, row), regions: [...regions, ...more] };
}

/** In order, with the BARs nobody has to write down: MSI-X's, if it has one of its own, and the ROM's. */
function layoutOf({ bars, capabilities = [], rom }: PciShape, row: MsixRow | undefined): ConfigLayout {
  const ofMsix = row === undefined || bars.some(({ index }) => index === row.bar) ? [] : [msixBar(row)];
  const ofRom: PciBar[] = rom === undefined ? [] : [romBar(sizeOf(rom))];
  const all = [...bars, ...ofMsix, ...ofRom].sort((one, other) => one.index - other.index);
  return { bars: all, capabilities: placeCapabilities(capabilities) };
}

const sizeOf = (rom: Uint8Array): number => romSize(ROM_REGION, rom.length);

/** The file somebody gives takes the place of what the model has, and its bytes come when the machine is made. */
function withRom(shape: PciShape, setup: Partial<RomSetup>): PciShape {
  const { rom: own, ...rest } = shape;
  const bytes = givenRom(setup);
  if (bytes !== undefined) return { ...rest, rom: new Uint8Array(bytes) };
  return setup.rombar === 0 || own === undefined ? rest : { ...rest, rom: own };
}

/** `own`: how many regions are the function's; the next two are those of MSI-X. */
function functionOf<S extends PciFunctionState>(
  body: FunctionBody<S>,
  rest: Pick<PciFunction<S>, 'bars' | 'capabilities' | 'regions' | 'model'>,
  own: number,
): PciFunction<S> {
  return {
    ...body,
    ...rest,
    pins: ['intx'],
    read(state, region, offset, size, effects) {
      if (region < own) return body.read(state, region, offset, size, effects);
      return state.msix![region === own ? 'table' : 'pending'][offset >> 2]!;
    },
    write(state, region, offset, size, value, effects) {
      if (region < own && body.write !== undefined) body.write(state, region, offset, size, value, effects);
      else effects.commit();
    },
    reset(state, effects) {
      if (body.reset === undefined) effects.commit();
      else body.reset(state, effects);
      effects.pin('intx', false);
    },
  };
}

function reducerOf<S extends PciFunctionState>(
  reducer: DeviceReducer<S>,
  layout: ConfigLayout,
  own: number,
): DeviceReducer<S> {
  return {
    ...reducer,
    written(state: Draft<S>, access, stamped) {
      if (access.region < own) reducer.written?.(state, access, stamped);
      else if (access.region === own) state.msix!.table[access.offset >> 2] = access.value;
    },
    reset(state: Draft<S>) {
      resetFunction(state, layout);
      reducer.reset?.(state);
    },
  };
}
