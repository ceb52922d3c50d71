/** A real port of this machine's, behind which is a server of SSH of a world: for clients of another make. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { latin1 } from '../../../src/base/bytes.ts';
import { bytesOf } from '../../../src/net/world/say.ts';
import type { Bench } from '../bench.ts';
import { Client } from '../client.ts';

export interface Door {
  readonly port: number;
  close(): void;
}

/** Whoever comes to it is let to a port of a host, as a guest from a port of its own. */
export async function doorTo(bench: Bench, host: string, port: number): Promise<Door> {
  let own = 40_000;
  const server = createServer((socket) => {
    own += 1;
    const client = new Client(bench, host, port, own);
    const tell = (text: string): void => {
      if (text !== '') socket.write(bytesOf(text));
      if (client.hasEnded && !socket.writableEnded) socket.end();
    };
    tell(client.heard);
    socket.on('data', (bytes: Buffer) => tell(client.say(latin1(bytes))));
    socket.on('end', () => tell(client.end()));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
