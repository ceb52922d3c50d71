import type { SocketBackend } from '../runs/machine/run-options.ts';
import { type CommaValue, commaValue, refuseOthers, switchValue, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

const SWITCHES = ['server', 'wait', 'nowait', 'nodelay', 'delay'];
const MOST_PORTS = 65_535;

/** `unix:PATH`, `tcp:HOST:PORT` or `telnet:HOST:PORT`, with `,server=on` and `,wait=off`; undefined: something else. */
export function socketBackend(option: string, text: string): SocketBackend | undefined {
  const [, kind, rest] = /^(unix|tcp|telnet):(.*)$/s.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const value = commaValue(rest as string);
  refuseOthers(`${option} ${kind}`, value, SWITCHES);
  const where = value.name ?? '';
  if (kind === 'unix') {
    if (where === '') throw new UsageProblem(`${option} ${text}: name the socket, like unix:/tmp/console,server=on.`);
    return served(option, value, { path: where }, false);
  }
  const [, host, port] = /^(.*):(\d+)$/.exec(where) ?? [];
  if (port === undefined) throw new UsageProblem(`${option} ${text}: write ${kind}:HOST:PORT, like ${kind}::4444.`);
  return served(option, value, address(option, host as string, port), kind === 'telnet');
}

/** `-chardev socket,id=ID,path=PATH|host=HOST,port=PORT,server=on,wait=off,telnet=on`. */
export function socketChardev(text: string, value: CommaValue): SocketBackend {
  refuseOthers('-chardev socket', value, ['id', 'path', 'host', 'port', 'telnet', ...SWITCHES]);
  const [path, port] = [value.properties.get('path'), value.properties.get('port')];
  if ((path === undefined) === (port === undefined)) {
    throw new UsageProblem(`-chardev ${text}: give path=PATH or port=PORT, one of them.`);
  }
  const telnet = switchValue('-chardev', value, 'telnet') === true;
  if (path !== undefined) return served('-chardev', value, { path }, telnet);
  return served('-chardev', value, address('-chardev', value.properties.get('host') ?? '', port as string), telnet);
}

/** Nobody else's machine is let in, or asked, unless it is named. */
const address = (option: string, host: string, port: string): SocketBackend['address'] => ({
  host: host === '' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1'),
  port: wholeNumber(option, port, 0, MOST_PORTS),
});

function served(option: string, value: CommaValue, where: SocketBackend['address'], telnet: boolean): SocketBackend {
  const server = switchValue(option, value, 'server') === true;
  const waits = server && switchValue(option, value, 'wait') !== false && value.properties.get('nowait') !== 'on';
  return { to: 'socket', address: where, server, waits, telnet };
}
