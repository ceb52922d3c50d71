/** `--bridge`: bridges of the modelled Linux of the host. */
import { ipv4Of } from '../packets/addresses.ts';
import type { BridgeConfig } from '../vmm/config.ts';
import { BRIDGE_NAME, MOST } from '../vmm/limits.ts';
import { USUAL_BRIDGE } from '../vmm/pc/bridge-parts.ts';
import { commaValue, refuseOthers, switchValue, virtualTime, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

export const BRIDGE_HELP =
  'a bridge of the modelled host: NAME[,ports=ID+ID...][,stp=on][,ageing=300s][,mtu=1500][,priority=32768]' +
  '[,address=10.9.0.1/24]; ports are backends and other bridges';

const KNOWN = ['ports', 'stp', 'ageing', 'mtu', 'priority', 'address'];

/** Throws a UsageProblem for what cannot be had. Whether its ports are there is seen with the machine. */
export const bridgesAsked = (values: readonly string[] = []): readonly BridgeConfig[] => values.map(bridgeAsked);

function bridgeAsked(text: string): BridgeConfig {
  const option = `--bridge ${text}`;
  const value = commaValue(text);
  const { name = '', properties } = value;
  if (!BRIDGE_NAME.test(name)) throw new UsageProblem(`${option}: say its name first, like br0.`);
  refuseOthers(option, value, KNOWN);
  const given = (key: string): string | undefined => properties.get(key);
  const number = (key: 'mtu' | 'priority', least: number, most: number): number =>
    wholeNumber(`${option}: ${key}`, given(key) ?? `${USUAL_BRIDGE[key]}`, least, most);
  const address = given('address');
  if (address !== undefined && !isAddress(address)) {
    throw new UsageProblem(`${option}: address=${address} is no address like 10.9.0.1/24.`);
  }
  return {
    name,
    ports: (given('ports') ?? '').split('+').filter((port) => port !== ''),
    stp: switchValue(option, value, 'stp') ?? USUAL_BRIDGE.stp,
    ageing: ageingAsked(option, given('ageing')),
    mtu: number('mtu', MOST.mtu.least, MOST.mtu.most),
    priority: number('priority', 0, 0xffff),
    ...(address === undefined ? {} : { address }),
  };
}

/** `0`: nothing is remembered. */
function ageingAsked(option: string, text: string | undefined): number {
  if (text === undefined) return USUAL_BRIDGE.ageing;
  return text === '0' ? 0 : virtualTime(`${option}: ageing`, text, MOST.ageingNs);
}

function isAddress(text: string): boolean {
  const [address = '', length = ''] = text.split('/');
  return ipv4Of(address) !== undefined && /^\d{1,2}$/.test(length) && Number(length) <= 32;
}
