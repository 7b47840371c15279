// The container that holds what a pod shares dies on real Docker, again and again: the pod is made anew on another at
// once, and is never taken for one that crashes (rule 96).
import { afterAll, beforeAll, expect, it } from 'vitest';
import { template, toldSet } from './desired.ts';
import { containersOf, docker } from './docker-engine.ts';
import { TEST_IMAGE } from './pods.ts';
import { type DockerAgent, openDockerAgent } from './support/docker-agent.ts';

let agent: DockerAgent;
beforeAll(async () => {
  agent = await openDockerAgent('lost-holder-node');
});
afterAll(() => agent.stop());

const running = async (name: string) =>
  (await containersOf(agent.owner)).filter(
    ({ Labels, State }) => State === 'running' && Labels['io.kubernetes.container.name'] === name,
  );

it.each([
  ['is killed', { shareProcessNamespace: false }, (id: string) => docker.getContainer(id).kill()],
  [
    'is killed, and what shares its processes with it',
    { shareProcessNamespace: true },
    (id: string) => docker.getContainer(id).kill(),
  ],
  [
    'is removed by somebody',
    { shareProcessNamespace: false },
    (id: string) => docker.getContainer(id).remove({ force: true }),
  ],
])('it %s', async (what, over, lose) => {
  const revision = what.replaceAll(/\W+/g, '-');
  const command = ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'];
  const container = { image: TEST_IMAGE, command, imagePullPolicy: 'IfNotPresent' as const };
  const spec = {
    ...over,
    hostNetwork: false,
    terminationGracePeriodSeconds: 5,
    initContainers: [{ ...container, name: 'init', command: ['true'] }],
    containers: [
      { ...container, name: 'one' },
      { ...container, name: 'two' },
    ],
  };
  agent.tell({ daemonSets: [toldSet('web', { revision, template: template(spec) })] });
  await agent.comes('it is ready', () => agent.pods().length === 1 && agent.podOf(revision)?.ready);
  const reports = agent.session.all('report').length;
  for (let turn = 1; turn <= 3; turn += 1) {
    const [holder] = await running('POD');
    const before = (await Promise.all(['one', 'two'].map(running))).flat().map(({ Id }) => Id);
    await lose(holder?.Id ?? '');
    await agent.comes(`it runs again, time ${turn}`, async () => {
      const [holders, ...apps] = await Promise.all(['POD', 'one', 'two'].map(running));
      const isNew = apps.flat().every(({ Id }) => !before.includes(Id));
      return holders?.length === 1 && holders[0]?.Id !== holder?.Id && apps.flat().length === 2 && isNew;
    });
  }
  await agent.comes('it is ready again', () => agent.podOf(revision)?.ready);
  const since = agent.session.all('report').slice(reports);
  expect(
    since
      .flatMap(({ pods }) => pods)
      .map(({ statusJson }) => statusJson)
      .join(),
  ).not.toContain('BackOff');
  const reasons = since.flatMap(({ events }) => events).map(({ reason }) => reason);
  expect(reasons).toContain('SandboxChanged');
  expect(reasons).not.toContain('BackOff');
});
