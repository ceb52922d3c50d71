import type { Draft } from '../../base/draft.ts';
import type { AppState } from './app-state.ts';
import { sshAtFirst } from './ssh/state.ts';

/** Who answers, by what `sim:tcp_opened` calls it; undefined: nobody is called so. */
export function newApp(service: string): Draft<AppState> | undefined {
  const [kind, number] = service.split(' ');
  switch (kind) {
    case 'http':
      return { kind, heard: '', upload: undefined };
    case 'ssh':
      return sshAtFirst();
    case 'echo':
      return { kind, heard: '' };
    case 'sink':
    case 'discard':
      return { kind: 'sink' };
    case 'chargen':
      return { kind: 'source', hasSaid: true };
    case 'daytime':
      return { kind: 'source', hasSaid: false };
    case 'live':
    case 'program':
    case 'visitor': {
      const socket = kind === 'live' ? 'asked' : 'open';
      return { kind: 'live', socket, heard: '', sent: '', untaken: 0, credit: 0, isShut: false };
    }
    case 'call':
      return { kind: 'script', call: Number(number), step: 0, heard: '', waitsUntil: undefined };
    default:
      return undefined;
  }
}
