// What plane and agent cost when nothing happens: resident memory and CPU, beside a Node process that does nothing, in
// the same run. `node bench/footprint.ts [SECONDS]`
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { bundle, ROOT, startBenchFleet } from './src/bench-fleet.ts';
import { figure, median } from './src/median.ts';

const SECONDS = Number(process.argv[2] ?? 60);
const SETTLE_SECONDS = 15;
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
const TICKS_PER_SECOND = 100;

const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

/** Seconds of CPU used so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const daemonSet = (index: number) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: `idle-${index}` },
  spec: {
    selector: { matchLabels: { app: `idle-${index}` } },
    template: {
      metadata: { labels: { app: `idle-${index}` } },
      spec: {
        hostNetwork: true,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'main',
            image: 'fleetset-test/busybox:1',
            command: ['sh', '-c', `exec httpd -f -p 127.0.0.1:${28_110 + index} -h /`],
            readinessProbe: { exec: { command: ['true'] }, periodSeconds: 10 },
          },
        ],
      },
    },
  },
});

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

bundle();
execFileSync('hack/images/build', ['busybox'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
const fleet = await startBenchFleet();
try {
  for (const index of [1, 2, 3]) await fleet.api('POST', SETS, daemonSet(index));
  await pause(SETTLE_SECONDS);
  const pids = { bare: bare.pid ?? 0, plane: fleet.plane.pid, agent: fleet.agent.pid };
  const before = { plane: cpuSeconds(pids.plane), agent: cpuSeconds(pids.agent) };
  const memory = { bare: [] as number[], plane: [] as number[], agent: [] as number[] };
  for (let second = 0; second < SECONDS; second++) {
    await pause(1);
    for (const name of ['bare', 'plane', 'agent'] as const) memory[name].push(residentMiB(pids[name]));
  }
  const share = (name: 'plane' | 'agent') =>
    (((cpuSeconds(pids[name]) - before[name]) / SECONDS) * 100).toFixed(2);
  const ratio = (name: 'plane' | 'agent') => (median(memory[name]) / median(memory.bare)).toFixed(2);
  console.log(
    `footprint: ${SECONDS} s idle with 3 DaemonSets, each with an exec probe every 10 s; medians (quartiles)`,
  );
  console.log(`  bare node     ${figure(memory.bare, 'MiB', 1)}`);
  console.log(
    `  plane         ${figure(memory.plane, 'MiB', 1)}   ${ratio('plane')} x bare, ${share('plane')} % of a core`,
  );
  console.log(
    `  agent         ${figure(memory.agent, 'MiB', 1)}   ${ratio('agent')} x bare, ${share('agent')} % of a core`,
  );
} finally {
  for (const index of [1, 2, 3]) await fleet.api('DELETE', `${SETS}/idle-${index}`).catch(() => {});
  await pause(3);
  await fleet.close();
  bare.kill();
}
