// Runs seeds by hand: node simulation/src/main.ts SEED [COUNT] [--nodes N] [--trace]. Without a count one seed; with
// --trace every line of it.
import { parseArgs } from 'node:util';
import { run } from './run.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { nodes: { type: 'string' }, trace: { type: 'boolean' } },
});
const [first = 1, count = 1] = positionals.map(Number);
const startedAt = performance.now();
let [failed, turns] = [0, 0];
for (let seed = first; seed < first + count; seed++) {
  const result = await run({
    seed,
    ...(values.nodes ? { nodes: Number(values.nodes) } : {}),
    wholeTrace: values.trace ?? false,
  });
  turns += result.turns;
  if (result.broken) failed += 1;
  if (values.trace || (result.broken && count === 1)) console.log(result.lines.join('\n'));
  if (result.broken) console.log(`seed ${seed}: ${result.broken.law}: ${result.broken.what}`);
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(`${count} seeds, ${failed} broken, ${turns} turns, ${seconds.toFixed(1)} s`);
process.exitCode = failed > 0 ? 1 : 0;
