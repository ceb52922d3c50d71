/** One entry of an archive: a folder, a file, a symbolic link or a character device. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly name: string }
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'link'; readonly name: string; readonly target: string }
  | { readonly kind: 'character-device'; readonly name: string; readonly major: number; readonly minor: number };

const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/**
 * An archive the kernel unpacks as its first root file system: cpio "newc", Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst. Owner root, time 0: the same entries give the same bytes.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.map((entry, index) => member(entry.name, index + 1, modeOf(entry), contentOf(entry), entry));
  parts.push(member('TRAILER!!!', 0, 0, new Uint8Array(0)));
  return Buffer.concat(parts);
}

function modeOf(entry: CpioEntry): number {
  switch (entry.kind) {
    case 'folder':
      return S_IFDIR | 0o755;
    case 'file':
      return S_IFREG | (entry.executable ? 0o755 : 0o644);
    case 'link':
      return S_IFLNK | 0o777;
    case 'character-device':
      return S_IFCHR | 0o600;
  }
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.bytes;
  return entry.kind === 'link' ? Buffer.from(entry.target) : new Uint8Array(0);
}

function member(name: string, inode: number, mode: number, content: Uint8Array, entry?: CpioEntry): Uint8Array {
  const device = entry?.kind === 'character-device' ? entry : { major: 0, minor: 0 };
  const nameBytes = Buffer.from(`${name}\0`);
  // ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize check
  const numbers = [inode, mode, 0, 0, entry?.kind === 'folder' ? 2 : 1, 0, content.length, 0, 0];
  numbers.push(device.major, device.minor, nameBytes.length, 0);
  const header = `070701${numbers.map((value) => value.toString(16).padStart(8, '0').toUpperCase()).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), nameBytes])), padded(content)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
}
