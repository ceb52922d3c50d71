/** What `-boot`, `-smbios`, `-uuid` and `-fw_cfg` tell firmware and guest. */
import type { FwCfgFile } from '../runs/machine/run-options.ts';
import { BOOT_ORDER, FW_CFG_NAME, MOST } from '../vmm/limits.ts';
import type { BootOptions } from '../vmm/options.ts';
import { SMBIOS_CHARACTERS, SMBIOS_FIELDS, SMBIOS_NUMBERS, type SmbiosSaid } from '../vmm/smbios/said.ts';
import { type CommaValue, commaValue, refuseOthers, switchValue, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** `-boot [order=]LETTERS,menu=on|off,strict=on|off,splash-time=MS,reboot-timeout=MS`. */
export function bootAsked(text: string | undefined): BootOptions | undefined {
  if (text === undefined) return undefined;
  const value = commaValue(text);
  if (value.properties.has('once') || value.properties.has('splash')) {
    throw new UsageProblem(`-boot ${text}: once= and splash= are not supported. Every start is alike: give order=.`);
  }
  refuseOthers('-boot', value, ['order', 'menu', 'strict', 'splash-time', 'reboot-timeout']);
  const order = value.properties.get('order') ?? value.name;
  if (order !== undefined && !BOOT_ORDER.test(order)) {
    throw new UsageProblem(`-boot ${text}: an order is one to three of the letters a, b, c, d and n, each once.`);
  }
  const time = (key: string, least: number, most: number): number | undefined => {
    const given = value.properties.get(key);
    if (given === '-1' && least < 0) return -1;
    return given === undefined ? undefined : wholeNumber(`-boot ${key}`, given, 0, most);
  };
  return {
    order,
    menu: switchValue('-boot', value, 'menu'),
    strict: switchValue('-boot', value, 'strict'),
    splashTime: time('splash-time', 0, MOST.splashTime),
    rebootTimeout: time('reboot-timeout', -1, MOST.rebootTimeout),
  };
}

/** `-smbios type=N,FIELD=TEXT...`, given for each type, and `-uuid`. The last word on a field holds. */
export function smbiosAsked(values: readonly string[], uuid: string | undefined): SmbiosSaid | undefined {
  const fields: Record<string, Record<string, string>> = {};
  const strings: string[] = [];
  if (uuid !== undefined) fields[1] = { uuid: checkedUuid(`-uuid ${uuid}`, uuid) };
  for (const text of values) {
    const value = commaValue(text);
    const type = smbiosType(text, value);
    refuseOthers(`-smbios type=${type}`, value, ['type', ...(SMBIOS_FIELDS[type] as string[])]);
    // Type 11 takes its one field any number of times.
    if (type === '11') strings.push(...valuesOf(text));
    else fields[type] = { ...fields[type], ...checkedFields(text, value) };
  }
  const all = [...Object.values(fields).flatMap((said) => Object.values(said)), ...strings].join('');
  if (all.length > SMBIOS_CHARACTERS) {
    throw new UsageProblem(`-smbios: more than ${SMBIOS_CHARACTERS} characters have no place in the tables.`);
  }
  return Object.keys(fields).length + strings.length === 0 ? undefined : { fields, strings };
}

function smbiosType(text: string, value: CommaValue): string {
  if (value.properties.has('file')) {
    throw new UsageProblem(`-smbios ${text}: tables from files are not supported. Say fields: type=1,serial=TEXT.`);
  }
  const type = value.properties.get('type') ?? '';
  if (type in SMBIOS_FIELDS) return type;
  const known = Object.keys(SMBIOS_FIELDS).join(', ');
  const why = type === '0' ? 'type 0 is what firmware says of itself' : 'give type=N';
  throw new UsageProblem(`-smbios ${text}: ${why}. Types ${known} can be said.`);
}

const valuesOf = (text: string): string[] =>
  text
    .split(/(?<!,),(?!,)/)
    .filter((part) => part.startsWith('value='))
    .map((part) => checkedText(`-smbios ${text}`, part.slice('value='.length).replaceAll(',,', ',')));

function checkedFields(text: string, { properties }: CommaValue): Record<string, string> {
  const fields = [...properties].filter(([key]) => key !== 'type');
  return Object.fromEntries(
    fields.map(([key, value]) => {
      if (key === 'uuid') return [key, checkedUuid(`-smbios ${text}`, value)];
      if (SMBIOS_NUMBERS.has(key)) return [key, String(wholeNumber(`-smbios ${key}`, value, 0, 0xffff))];
      return [key, checkedText(`-smbios ${text}`, value)];
    }),
  );
}

function checkedText(option: string, text: string): string {
  if (/^[ -~]+$/.test(text)) return text;
  throw new UsageProblem(`${option}: a text of these tables has printable ASCII characters, and at least one.`);
}

function checkedUuid(option: string, text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new UsageProblem(`${option}: a UUID is like 12345678-1234-1234-1234-123456789abc.`);
}

/** `-fw_cfg [name=]NAME,string=TEXT|file=PATH`. */
export function fwCfgAsked(values: readonly string[]): { readonly files: FwCfgFile[]; readonly warnings: string[] } {
  const files = values.map(fwCfgFile);
  const names = files.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new UsageProblem(`-fw_cfg: ${twice} is given twice.`);
  if (files.length > MOST.fwCfgFiles) {
    throw new UsageProblem(`-fw_cfg: the device has places for ${MOST.fwCfgFiles} files besides the machine's own.`);
  }
  const others = names.filter((name) => !name.startsWith('opt/'));
  return {
    files,
    warnings: others.map((name) => `-fw_cfg ${name}: names of one's own should begin with "opt/".`),
  };
}

function fwCfgFile(text: string): FwCfgFile {
  const value = commaValue(text);
  if (value.properties.has('gen_id')) throw new UsageProblem('-fw_cfg gen_id: there are no objects to generate from.');
  refuseOthers('-fw_cfg', value, ['name', 'string', 'file']);
  const name = value.properties.get('name') ?? value.name ?? '';
  if (!FW_CFG_NAME.test(name)) {
    throw new UsageProblem(`-fw_cfg ${text}: a name is 1 to 55 printable characters, like name=opt/org.example/key.`);
  }
  if (/^(etc|genroms)\/|^bootorder$|^bios-geometry$/.test(name)) {
    throw new UsageProblem(`-fw_cfg ${text}: ${name} is the machine's own. Begin the name with opt/.`);
  }
  const [said, path] = [value.properties.get('string'), value.properties.get('file')];
  if ((said === undefined) === (path === undefined)) {
    throw new UsageProblem(`-fw_cfg ${text}: give what it holds with string=TEXT or file=PATH, one of them.`);
  }
  return path === undefined ? { name, text: said as string } : { name, path };
}
