// `states.js TRACE`: the immutable states that `reduce` makes of a trace, compared at every digest.
const [path] = process.argv.slice(2);
const built = (name) => import(new URL(`../../dist/${name}`, import.meta.url).href);
const { reduce } = await built('reducers/evolve.js');
const { powerOn } = await built('reducers/power-on.js');
const { seal } = await built('reducers/seal.js');
const { differingSlices, digestSlices } = await built('reducers/slices.js');
const { configurationOf, readDescription } = await built('host/machine-description.js');
const { openTraceFile } = await built('host/trace-file.js');
const { inOrder } = await built('replay/trace/in-order.js');

const trace = openTraceFile(path);
let state = seal(undefined, powerOn(configurationOf(readDescription(trace.header.machine, path))));
for (const stamped of inOrder(trace)) {
  state = reduce(state, stamped);
  const { event, seq, tick } = stamped;
  if (event.kind !== 'sim:digest') continue;
  const differing = differingSlices(state.config, event.slices, digestSlices(state));
  if (differing.length === 0) continue;
  console.log(
    `The state that follows from the events differs at event ${seq}, tick ${tick}, in ${differing.join(', ')}.`,
  );
  process.exit(3);
}
