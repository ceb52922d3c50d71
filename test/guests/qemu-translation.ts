import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';

/** Registers a translation depends on. */
export interface PagingRegisters {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

/** QEMU's numbers for them in its gdb stub, gdb-xml/i386-64bit.xml. In the order in which they can be set. */
const NUMBERS = { efer: 32, cr4: 30, cr3: 29, cr0: 27 } as const;

/** A QEMU that stands still with a given memory, as its monitor sees it. */
export interface QemuMemory {
  /** What `gva2gpa` prints: a guest-physical address, or undefined for what is not mapped. */
  translate(linear: bigint): Promise<bigint | undefined>;
  close(): void;
}

/** Start QEMU with the memory of a file, never let it run, and give its processor these registers. */
export async function qemuWith(
  memory: string,
  megabytes: number,
  port: number,
  registers: PagingRegisters,
): Promise<QemuMemory> {
  const backend = `memory-backend-file,id=ram,mem-path=${memory},size=${megabytes}M,share=off`;
  const machine = ['-machine', 'pc,memory-backend=ram', '-m', `${megabytes}M`, '-object', backend, '-cpu', 'max'];
  const quiet = ['-S', '-display', 'none', '-nodefaults', '-monitor', 'none', '-gdb', `tcp:127.0.0.1:${port}`];
  const qemu = spawn('qemu-system-x86_64', [...machine, ...quiet], { stdio: 'ignore' });
  const remote = await connected(qemu, port);
  // QEMU's stub lets a client that knows its target description write registers one by one.
  await remote.quietly();
  await remote.ask('qXfer:features:read:target.xml:0,ffb');
  for (const [name, number] of Object.entries(NUMBERS)) {
    const value = littleEndian(registers[name as keyof PagingRegisters]);
    const answer = await remote.ask(`P${number.toString(16)}=${value}`);
    if (answer !== 'OK') throw new Error(`QEMU refused ${name}: ${answer}`);
  }
  return {
    async translate(linear) {
      const said = await remote.monitor(`gva2gpa 0x${linear.toString(16)}`);
      const found = /gpa: (?:0x)?([0-9a-f]+)/.exec(said)?.[1];
      if (found === undefined && !said.includes('Unmapped')) throw new Error(`gva2gpa printed ${said}`);
      return found === undefined ? undefined : BigInt(`0x${found}`);
    },
    close() {
      remote.socket.destroy();
      qemu.kill();
    },
  };
}

function littleEndian(value: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.toString('hex');
}

interface Remote {
  readonly socket: Socket;
  ask(packet: string): Promise<string>;
  /** No more acknowledgements: each would wait for the next packet. */
  quietly(): Promise<void>;
  monitor(command: string): Promise<string>;
}

const TRIES = 100;

async function connected(qemu: ChildProcess, port: number): Promise<Remote> {
  for (let at = 0; at < TRIES; at += 1) {
    if (qemu.exitCode !== null) throw new Error(`QEMU ended with ${qemu.exitCode}`);
    const socket = await new Promise<Socket | undefined>((resolve) => {
      const attempt = connect(port, '127.0.0.1', () => resolve(attempt));
      attempt.once('error', () => resolve(undefined));
    });
    if (socket !== undefined) return remoteOf(socket);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('QEMU does not listen');
}

/** The gdb remote protocol as far as these questions go: packets with a checksum, each acknowledged. */
function remoteOf(socket: Socket): Remote {
  let buffer = '';
  const waiting: ((packet: string) => void)[] = [];
  const arrived: string[] = [];
  let acknowledges = true;
  socket.setEncoding('latin1');
  socket.setNoDelay(true);
  socket.on('data', (text: string) => {
    buffer += text;
    for (;;) {
      const packet = /^[+-]*\$([^#]*)#[0-9a-f]{2}/.exec(buffer);
      if (packet === null) return;
      buffer = buffer.slice(packet[0].length);
      if (acknowledges) socket.write('+');
      const waiter = waiting.shift();
      if (waiter === undefined) arrived.push(packet[1] as string);
      else waiter(packet[1] as string);
    }
  });
  const next = async (): Promise<string> =>
    arrived.shift() ?? new Promise<string>((resolve) => void waiting.push(resolve));
  const send = (packet: string): void => {
    const sum = Buffer.from(packet, 'latin1').reduce((total, byte) => (total + byte) & 0xff, 0);
    socket.write(`$${packet}#${sum.toString(16).padStart(2, '0')}`);
  };
  const ask = (packet: string): Promise<string> => {
    const answer = next();
    send(packet);
    return answer;
  };
  return {
    socket,
    ask,
    async quietly() {
      await ask('QStartNoAckMode');
      acknowledges = false;
    },
    async monitor(command) {
      let said = '';
      const packet = `qRcmd,${Buffer.from(command).toString('hex')}`;
      for (let answer = await ask(packet); answer !== 'OK'; answer = await next()) {
        if (!answer.startsWith('O')) return `${said}${answer}`;
        said += Buffer.from(answer.slice(1), 'hex').toString('latin1');
      }
      return said;
    },
  };
}
