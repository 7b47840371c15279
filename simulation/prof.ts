import { run } from './src/run.ts';

const c = process.cpuUsage();
let turns = 0;
for (let s = 1; s <= 100; s++) turns += (await run({ seed: s })).turns;
const d = process.cpuUsage(c);
console.log((d.user + d.system) / 1e5, turns / 100);
