import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Aside } from '../../stepping-aside.ts';
import { buildHelper, helperProcess, type RunOnHost, surviving } from './native-process.ts';
import { type HostAreas, probeHost } from './probe.ts';

/** The helper as built for one test run, and what of this host may be compared with. */
export interface HostCpu {
  readonly run: RunOnHost;
  readonly areas: HostAreas;
  close(): void;
}

/** Build the helper with gcc, ask it what this host does, and run batches of cases through it; or why not. */
export function openHostCpu(): HostCpu | Aside {
  const source = fileURLToPath(new URL('./helper.c', import.meta.url));
  // The cases' pages lie where a program that is not position-independent may.
  const built = buildHelper(source, ['-O2', '-Wall', '-fPIE', '-pie']);
  if (!('folder' in built)) return built;
  const helper = helperProcess(built.folder);
  const close = (): void => rmSync(built.folder, { recursive: true, force: true });
  return { run: surviving(helper), close, areas: probeHost(helper) };
}

/** Whether there is a host to compare with. */
export const isHost = (host: HostCpu | Aside): host is HostCpu => 'areas' in host;
