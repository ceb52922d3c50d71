import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { gdbOn, type Served } from './stock-gdb.ts';

/** What a random walk through a run came to. */
export interface Walked {
  readonly steps: number;
  /** Places that were come to again, and so were compared with what was there before. */
  readonly revisits: number;
  /** Revisits that found other registers or another digest. */
  readonly mismatches: number;
  /** Steps that did not lead on in their direction. */
  readonly stuck: number;
  readonly seconds: number;
}

/**
 * In gdb's own Python: single steps in runs of up to 24 forwards or backwards, everything compared by place. The end
 * of the recording is a place of its own: its last instruction may have ended the machine and not retired.
 */
const script = (starts: readonly string[], steps: number, seed: number): string => `
import random, time
chance = random.Random(${seed})
def say(command):
    return gdb.execute(command, to_string=True)
def here():
    place = (int(gdb.parse_and_eval("$icount")), "the end of the recording" in say("monitor when"))
    return place, (say("info registers"), say("monitor digest"))
known = {}
taken = revisits = mismatches = stuck = 0
def go(where):
    say("monitor seek " + where)
    say("maintenance flush register-cache")
    return here()
def compare(place, seen):
    global revisits, mismatches
    if place not in known:
        known[place] = seen
        return
    revisits += 1
    if known[place] != seen:
        mismatches += 1
        if mismatches == 1:
            print("differs at %s: %s and %s" % (place, known[place], seen))
begun = time.time()
first, seen = go("begin")
for start in ${JSON.stringify(starts)}:
    place, seen = go(start)
    compare(place, seen)
    left = ${Math.floor(steps / starts.length)}
    while left > 0:
        back = place != first and (place[1] or chance.random() < 0.5)
        for i in range(min(left, chance.randint(1, 24))):
            if place == first and back or place[1] and not back:
                break
            say("reverse-stepi" if back else "stepi")
            left -= 1
            taken += 1
            before = place
            place, seen = here()
            if place == before or (place < before) != back:
                stuck += 1
            compare(place, seen)
print("walked=%d %d %d %d %.1f" % (taken, revisits, mismatches, stuck, time.time() - begun))
`;

/** Walk at random through a served run with stock gdb, at each of these places the same number of steps. */
export async function randomWalk(
  served: Served,
  folder: string,
  { starts, steps, seed }: { readonly starts: readonly string[]; readonly steps: number; readonly seed: number },
): Promise<Walked> {
  const path = join(folder, `${served.port}.py`);
  writeFileSync(path, script(starts, steps, seed));
  const out = await gdbOn(served, folder, [`source ${path}`]);
  const found = /^walked=(\d+) (\d+) (\d+) (\d+) ([\d.]+)$/m.exec(out)?.slice(1).map(Number);
  if (found === undefined) throw new Error(`gdb did not walk to the end: ${out}`);
  const [taken, revisits, mismatches, stuck, seconds] = found as [number, number, number, number, number];
  if (mismatches > 0) process.stderr.write(`${/^differs at.*$/ms.exec(out)?.[0].slice(0, 4000)}\n`);
  return { steps: taken, revisits, mismatches, stuck, seconds };
}
