// How close one node comes to bare Docker: from apply to running, and the gap in an update, each as a ratio to the same
// containers made by plain dockerode in the same run. `node bench/node-floor.ts [ROUNDS]`
import { execFileSync } from 'node:child_process';
import Docker from 'dockerode';
import { ROOT, startBenchFleet } from './src/bench-fleet.ts';
import { type DockerClock, followDocker } from './src/docker-clock.ts';
import { figure, median } from './src/median.ts';

const ROUNDS = Number(process.argv[2] ?? 15);
const IMAGE = 'prom/node-exporter:v1.5.0';
const ARGS = ['--web.listen-address=127.0.0.1:28101'];
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';

const docker = new Docker();

/** What the agent asks of Docker for this pod, asked by hand. */
const options = (name: string, generation: number): Docker.ContainerCreateOptions => ({
  name,
  Image: IMAGE,
  Cmd: ARGS,
  Env: [`GENERATION=${generation}`],
  Labels: { bench: 'floor' },
  HostConfig: {
    NetworkMode: 'host',
    CpuShares: 2,
    OomScoreAdj: 1000,
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
  },
});

const daemonSet = (name: string, generation: number) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        hostNetwork: true,
        containers: [
          {
            name: 'main',
            image: IMAGE,
            args: ARGS,
            env: [{ name: 'GENERATION', value: String(generation) }],
          },
        ],
      },
    },
  },
});

interface Figures {
  readonly start: number[];
  readonly update: number[];
}

async function bareRound(clock: DockerClock, round: number, into: Figures): Promise<void> {
  const begun = Date.now();
  const started = clock.next(({ action, labels }) => action === 'start' && labels.bench === 'floor');
  const first = await docker.createContainer(options(`bench-${round}-a`, 1));
  await first.start();
  into.start.push((await started).at - begun);
  const killed = clock.next(({ action, id }) => action === 'kill' && id === first.id);
  const again = clock.next(
    ({ action, id, labels }) => action === 'start' && id !== first.id && labels.bench === 'floor',
  );
  await first.stop({ t: 10 });
  const second = await docker.createContainer(options(`bench-${round}-b`, 2));
  await second.start();
  into.update.push((await again).at - (await killed).at);
  await Promise.all([first.remove({ force: true }), second.remove({ force: true })]);
}

type Api = Awaited<ReturnType<typeof startBenchFleet>>['api'];

async function fleetRound(
  clock: DockerClock,
  api: Api,
  round: number,
  into: Figures,
  apply: (manifest: object) => Promise<unknown>,
) {
  const name = `floor-${round}`;
  const ours = (labels: { readonly [label: string]: string }) => labels['dev.fleetset.daemonset'] === name;
  const started = clock.next(({ action, labels }) => action === 'start' && ours(labels));
  const begun = Date.now();
  await apply(daemonSet(name, 1));
  into.start.push((await started).at - begun);
  await available(api, name, 1);
  const killed = clock.next(({ action, labels }) => action === 'kill' && ours(labels));
  const again = clock.next(({ action, labels }) => action === 'start' && ours(labels));
  await api('PUT', `${SETS}/${name}`, daemonSet(name, 2));
  into.update.push((await again).at - (await killed).at);
  await available(api, name, 2);
  const gone = clock.next(({ action, labels }) => action === 'destroy' && ours(labels));
  await api('DELETE', `${SETS}/${name}`);
  await gone;
}

async function available(api: Api, name: string, generation: number): Promise<void> {
  for (;;) {
    const { status } = (await api('GET', `${SETS}/${name}`)) as {
      status: { observedGeneration?: number; updatedNumberScheduled?: number; numberAvailable?: number };
    };
    const { observedGeneration, updatedNumberScheduled, numberAvailable } = status;
    if (observedGeneration === generation && updatedNumberScheduled === 1 && numberAvailable === 1) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

execFileSync('hack/images/build', ['node-exporter'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
const clock = await followDocker(docker);
const fleet = await startBenchFleet();
const bare: Figures = { start: [], update: [] };
const ours: Figures = { start: [], update: [] };
const typed: Figures = { start: [], update: [] };
const kubectlAlone: number[] = [];
const kubectl = async (manifest: object, ...flags: string[]) =>
  execFileSync('hack/kubectl', ['apply', '-f', '-', ...flags], {
    cwd: ROOT,
    env: { ...process.env, KUBECONFIG: fleet.kubeconfig },
    input: JSON.stringify(manifest),
  });
/** All that kubectl does for an apply, with nothing written. */
async function kubectlAloneRound(into: number[]): Promise<void> {
  const begun = performance.now();
  await kubectl(daemonSet('floor-dry', 1), '--dry-run=server');
  into.push(performance.now() - begun);
}
try {
  for (let round = -1; round < ROUNDS; round++) {
    // The first round of each warms up and does not count.
    const skip: Figures = { start: [], update: [] };
    await bareRound(clock, round, round < 0 ? skip : bare);
    await fleetRound(clock, fleet.api, round, round < 0 ? skip : ours, (manifest) =>
      fleet.api('POST', SETS, manifest),
    );
    await kubectlAloneRound(round < 0 ? [] : kubectlAlone);
    await fleetRound(clock, fleet.api, 1000 + round, round < 0 ? skip : typed, (manifest) =>
      kubectl(manifest),
    );
    process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`);
  }
} finally {
  await fleet.close();
  clock.close();
}
const ratio = (a: number[], b: number[]) => (median(a) / median(b)).toFixed(2);
console.log(`node-floor: ${ROUNDS} rounds, medians (quartiles), real node exporter on the host's network`);
console.log(`  bare create + start                ${figure(bare.start, 'ms')}`);
console.log(
  `  apply (API request) to running     ${figure(ours.start, 'ms')}   ${ratio(ours.start, bare.start)} x bare`,
);
console.log(`  kubectl apply, nothing written     ${figure(kubectlAlone, 'ms')}`);
console.log(
  `  apply (kubectl) to running         ${figure(typed.start, 'ms')}   ${(median(typed.start) / (median(kubectlAlone) + median(bare.start))).toFixed(2)} x (kubectl + bare)`,
);
console.log(`  bare stop + create + start         ${figure(bare.update, 'ms')}`);
console.log(
  `  gap of an update                   ${figure([...ours.update, ...typed.update], 'ms')}   ${ratio([...ours.update, ...typed.update], bare.update)} x bare`,
);
