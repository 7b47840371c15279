// What plane and agent cost when nothing happens: memory and CPU, beside a Node process that does nothing and one that
// holds the agent's libraries, in the same run; and what more of the agent comes with. `node bench/footprint.ts [SECONDS]`
import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BenchFleet,
  dockerSocket,
  pause,
  ROOT,
  type Service,
  service,
  startBenchFleet,
} from './src/bench-fleet.ts';
import { figure, median } from './src/median.ts';
import { cpuSecondsOf, type Memory, memoryOf } from './src/process-figures.ts';

const SECONDS = Number(process.argv[2] ?? 60);
const SETTLE_MS = 20_000;
const PODS = 10;
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';

type Probe = 'none' | 'http' | 'exec';

const daemonSet = (index: number, probe: Probe) => {
  const port = 28_110 + index;
  const probes = {
    none: {},
    http: { readinessProbe: { httpGet: { host: '127.0.0.1', path: '/busybox', port }, periodSeconds: 10 } },
    exec: { readinessProbe: { exec: { command: ['true'] }, periodSeconds: 10 } },
  };
  return {
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
              command: ['sh', '-c', `exec httpd -f -p 127.0.0.1:${port} -h /bin`],
              ...probes[probe],
            },
          ],
        },
      },
    },
  };
};

const indexes = Array.from({ length: PODS }, (_none, index) => index);

async function allAvailable(api: BenchFleet['api']): Promise<void> {
  for (;;) {
    const { items } = (await api('GET', SETS)) as {
      items: readonly {
        readonly metadata: { readonly generation: number };
        readonly status: { readonly observedGeneration?: number; readonly numberAvailable?: number };
      }[];
    };
    const done = items.every(
      ({ metadata, status }) =>
        status.observedGeneration === metadata.generation && status.numberAvailable === 1,
    );
    if (items.length === PODS && done) return;
    await pause(200);
  }
}

interface Row {
  readonly memory: readonly Memory[];
  /** Of one core, in percent. */
  readonly cpu: number;
}

/** One row for each process, over the same time. */
async function measure<Name extends string>(
  pids: { readonly [name in Name]: number },
): Promise<{ readonly [name in Name]: Row }> {
  const names = Object.keys(pids) as Name[];
  await pause(SETTLE_MS);
  const begun = performance.now();
  const before = names.map((name) => cpuSecondsOf(pids[name]));
  const memory = names.map((): Memory[] => []);
  for (let second = 0; second < SECONDS; second++) {
    await pause(1000);
    for (const [index, name] of names.entries()) memory[index]?.push(memoryOf(pids[name]));
  }
  const elapsed = (performance.now() - begun) / 1000;
  const rows = names.map((name, index): [Name, Row] => {
    const cpu = ((cpuSecondsOf(pids[name]) - (before[index] ?? 0)) / elapsed) * 100;
    return [name, { memory: memory[index] ?? [], cpu }];
  });
  return Object.fromEntries(rows) as { readonly [name in Name]: Row };
}

/** Under the launcher and its flags, in the agent's place. */
async function libraryFloor(fleet: BenchFleet, name: string, ...more: string[]): Promise<Service> {
  const prefix = join(fleet.folder, name);
  const lib = join(prefix, 'lib/fleetset');
  await mkdir(join(prefix, 'bin'), { recursive: true });
  execFileSync('node', ['hack/bundle.ts', lib, 'fleetset=bench/src/library-floor.ts'], { cwd: ROOT });
  await symlink(join(fleet.prefix, 'lib/fleetset/node'), join(lib, 'node'));
  execFileSync('cp', [join(fleet.prefix, 'bin/fleetset'), join(prefix, 'bin/fleetset')]);
  const args = ['agent', fleet.agentDir, ...more];
  const floor = service(join(prefix, 'bin/fleetset'), args, join(prefix, 'log'), 'all is loaded');
  await floor.start();
  return floor;
}

const IDLE = "require('fs').writeSync(1, 'ready'); setInterval(() => {}, 1e6)";

execFileSync('hack/images/build', ['busybox'], {
  cwd: ROOT,
  stdio: ['ignore', 'ignore', 'inherit'],
});
const fleet = await startBenchFleet([`dockerSocket: ${dockerSocket()}`]);
const others: Service[] = [];
try {
  const node = join(fleet.prefix, 'lib/fleetset/node');
  const bare = service(node, ['-e', IDLE], join(fleet.folder, 'bare.log'), 'ready');
  others.push(bare);
  await bare.start();
  const libraries = await libraryFloor(fleet, 'libraries');
  others.push(libraries);
  const all = await libraryFloor(fleet, 'all-libraries', 'all');
  others.push(all);
  const empty = await measure({
    bare: bare.pid(),
    libraries: libraries.pid(),
    all: all.pid(),
    agent: fleet.agent.pid(),
  });
  for (const other of others) await other.stop();
  const withProbe = async (probe: Probe) => {
    for (const index of indexes) {
      const path = `${SETS}/idle-${index}`;
      if (probe === 'none') await fleet.api('POST', SETS, daemonSet(index, probe));
      else await fleet.api('PUT', path, daemonSet(index, probe));
    }
    await allAvailable(fleet.api);
    return measure({ plane: fleet.plane.pid(), agent: fleet.agent.pid() });
  };
  const idle = await withProbe('none');
  const http = await withProbe('http');
  const exec = await withProbe('exec');
  await fleet.agent.stop();
  await fleet.agent.start();
  const restarted = await measure({ agent: fleet.agent.pid() });

  const floor = empty.bare.memory.map(({ resident }) => resident);
  const show = (what: string, { memory, cpu }: Row) => {
    const resident = memory.map((at) => at.resident);
    const own = memory.map((at) => at.private);
    const ratio = (median(resident) / median(floor)).toFixed(2);
    console.log(
      `  ${what.padEnd(34)}${figure(resident, 'MiB', 1)} resident (${ratio} x bare), ${figure(own, 'MiB', 1)} private, ${cpu.toFixed(2)} % of a core`,
    );
  };
  console.log(`footprint: ${SECONDS} s each, medians (quartiles); a probe's period is 10 s`);
  show('bare node', empty.bare);
  show("the agent's libraries, connected", empty.libraries);
  show('the same and systeminformation', empty.all);
  show('agent, no pods', empty.agent);
  show(`agent, ${PODS} pods`, idle.agent);
  show('  each with an HTTP probe', http.agent);
  show('  each with an exec probe', exec.agent);
  show('  the same, agent started anew', restarted.agent);
  show(`plane, ${PODS} DaemonSets, one node`, idle.plane);
  const [first, last] = [idle.agent.memory[0], idle.agent.memory.at(-1)];
  console.log(
    `  last second / first second of the idle agent: ${((last?.private ?? 0) / (first?.private ?? 1)).toFixed(2)} private`,
  );
} finally {
  for (const other of others) await other.stop();
  for (const index of indexes) await fleet.api('DELETE', `${SETS}/idle-${index}`).catch(() => {});
  await pause(3000);
  await fleet.close();
}
