/** What sockets of the host say to a user network. */
import type { MachineEvent } from '../../events/vocabulary.ts';
import { rearm } from '../tcp/timers.ts';
import type { UserNet } from '../user/part.ts';
import { datagramCame, datagramFailed, datagramVisited } from './datagrams.ts';
import { nameFound } from './names.ts';
import { socketSaid, visited } from './streams.ts';

/** An input of user networking's, which is in the state already. */
export function receiveLive(net: UserNet, input: MachineEvent): void {
  switch (input.kind) {
    case 'sim:socket_opened':
    case 'sim:socket_data':
    case 'sim:socket_taken':
    case 'sim:socket_ended':
    case 'sim:socket_reset':
      socketSaid(net, input);
      break;
    case 'sim:socket_accepted':
      visited(net, input);
      break;
    case 'sim:datagram_received':
      datagramCame(net, input);
      break;
    case 'sim:datagram_refused':
      datagramFailed(net, input);
      break;
    case 'sim:datagram_accepted':
      datagramVisited(net, input);
      break;
    case 'sim:name_found':
      nameFound(net, input);
      break;
    default:
      return;
  }
  rearm(net);
}
