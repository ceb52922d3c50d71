/** Host-state area: where a VM exit lands. Constant while the module is loaded. SDM Vol. 3, 25.5 and 27.2.2. */
export interface HostState {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly pat: bigint;
  readonly csSelector: number;
  readonly ssSelector: number;
  readonly dsSelector: number;
  readonly esSelector: number;
  readonly fsSelector: number;
  readonly gsSelector: number;
  readonly trSelector: number;
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  readonly trBase: bigint;
  readonly gdtrBase: bigint;
  readonly idtrBase: bigint;
  readonly rsp: bigint;
  readonly rip: bigint;
}

const CR4_VMXE = 0x2000n;
const CR4_PAE = 0x20n;
const EFER_LONG = 0x500n;

/** A Linux host's, as vmx_set_constant_host_state leaves it. */
export const HOST_STATE: HostState = {
  cr0: 0x80050033n,
  cr3: 0x100000000n,
  cr4: 0x3726e0n,
  efer: 0xd01n,
  pat: 0x0407050600070106n,
  csSelector: 0x10,
  ssSelector: 0x18,
  dsSelector: 0,
  esSelector: 0,
  fsSelector: 0,
  gsSelector: 0,
  trSelector: 0x40,
  fsBase: 0n,
  gsBase: 0xffff888000000000n,
  trBase: 0xfffffe0000003000n,
  gdtrBase: 0xfffffe0000001000n,
  idtrBase: 0xfffffe0000000000n,
  rsp: 0xffffc90000003e00n,
  rip: 0xffffffffa0001000n,
};

const isCanonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;

/** 27.2.2 to 27.2.4: what is wrong with the host state of a 64-bit host, if anything. */
export function checkHostState(host: HostState): string | undefined {
  if ((host.cr0 & 0x80000021n) !== 0x80000021n) return 'host CR0';
  if ((host.cr4 & CR4_VMXE) === 0n || (host.cr4 & CR4_PAE) === 0n) return 'host CR4';
  if ((host.efer & EFER_LONG) !== EFER_LONG) return 'host EFER';
  const { csSelector, ssSelector, dsSelector, esSelector, fsSelector, gsSelector, trSelector } = host;
  const selectors = [csSelector, ssSelector, dsSelector, esSelector, fsSelector, gsSelector, trSelector];
  if (selectors.some((selector) => (selector & 7) !== 0)) return 'host selector: RPL or TI';
  if (csSelector === 0 || trSelector === 0) return 'host CS or TR is null';
  const addresses = [host.fsBase, host.gsBase, host.trBase, host.gdtrBase, host.idtrBase, host.rip];
  return addresses.every(isCanonical) ? undefined : 'host address is not canonical';
}
