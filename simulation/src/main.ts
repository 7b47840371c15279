// Runs seeds by hand: node simulation/src/main.ts SEED [COUNT] [--nodes N] [--trace]. One seed shows how it ended, and
// with --trace every line of it.
import { parseArgs } from 'node:util';
import { type RunResult, run } from './run.ts';
import { createWorkers } from './run-many.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { nodes: { type: 'string' }, trace: { type: 'boolean' } },
});
const [first = 1, count = 1] = positionals.map(Number);
const nodes = values.nodes ? { nodes: Number(values.nodes) } : {};
const startedAt = performance.now();

const tell = ({ seed, broken }: RunResult) =>
  console.log(`seed ${seed}: ${broken ? `${broken.law}: ${broken.what}` : 'well'}`);

async function runOne(): Promise<boolean> {
  const result = await run({ seed: first, ...nodes, wholeTrace: values.trace ?? false });
  if (values.trace || result.broken) console.log(result.lines.join('\n'));
  tell(result);
  return result.broken === undefined;
}

async function runAll(): Promise<boolean> {
  const workers = createWorkers();
  const broken = await workers.runMany(
    Array.from({ length: count }, (_, index) => ({ seed: first + index, ...nodes })),
    Number.POSITIVE_INFINITY,
  );
  await workers.end();
  for (const result of broken) tell(result);
  return broken.length === 0;
}

const good = await (count === 1 ? runOne() : runAll());
console.log(`${count} seeds in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
process.exitCode = good ? 0 : 1;
