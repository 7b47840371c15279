import { createWorld } from '/tmp/h/wt-sim/simulation/src/world.ts';
import { createSet, setTemplate } from '/tmp/h/wt-sim/simulation/src/operator.ts';
const t0 = performance.now();
for (let seed = 1; seed <= Number(process.argv[2] ?? 1); seed++) {
  const w = createWorld(seed, process.argv[3] === 'trace');
  w.plane.start();
  for (let i = 0; i < 3; i++) w.addMachine(`node-${i}`, {});
  const template = { app: { readyMs: 2000 }, containers: 1, image: 'app:1', version: 1, hostNetwork: true, graceSeconds: 10, probePeriodSeconds: 10 };
  w.use('create web', (o) => createSet(o, { name: 'web', template, strategy: 'RollingUpdate', maxUnavailable: 1, minReadySeconds: 0 }));
  await w.time.runUntil(60_000);
  w.use('update web', (o) => setTemplate(o, 'web', { ...template, version: 2, image: 'app:2' }));
  await w.time.runUntil(300_000);
  if (seed === 1) {
    console.log(w.trace.lines().join('\n'));
    console.log(w.time.turns(), JSON.stringify(w.store()?.get('apps/daemonsets', 'default/web')?.value.status));
  }
  w.close();
}
console.log(performance.now() - t0);
