// What a person sees of three rules that are easily got wrong, with real kubectl on real nodes: a DaemonSet that goes
// without its pods and one that takes them over (rules 22 and 63), drain (rule 62), and a pod that no node takes
// (rules 10 and 20).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { apply, fingerprint, fleet, getJson, inNode, kubectl, NODES, tryKubectl } from '../src/fleet.ts';
import { web } from '../src/manifests.ts';
import { seeWitness } from '../src/witness.ts';

const NAMESPACE = 'exact';
/** `app`: what it selects its pods by. */
const set = (name: string, more: object = {}, app = 'web') => {
  const made = web({ name, namespace: NAMESPACE, port: 8310 }) as {
    spec: { template: { spec: object } };
  };
  const template = { metadata: { labels: { app } }, spec: { ...made.spec.template.spec, ...more } };
  return { ...made, spec: { ...made.spec, selector: { matchLabels: { app } }, template } };
};
const inNamespace = (...args: string[]) => kubectl('-n', NAMESPACE, ...args);
interface Pods {
  readonly items: {
    readonly metadata: {
      readonly name: string;
      readonly uid: string;
      readonly ownerReferences?: { name: string }[];
    };
    readonly spec: { readonly nodeName: string };
    readonly status: { readonly phase: string; readonly reason?: string };
  }[];
}
const pods = async () => (await getJson<Pods>('pods', '-n', NAMESPACE)).items;
const owners = async () =>
  (await pods()).map(({ metadata }) => metadata.ownerReferences?.[0]?.name ?? 'nobody');
const rolledOut = (name: string) => inNamespace('rollout', 'status', `ds/${name}`, '--timeout=180s');

beforeAll(async () => {
  await kubectl('create', 'namespace', NAMESPACE);
});
afterAll(async () => {
  await kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=180s');
});

describe('kubectl delete --cascade=orphan', () => {
  it('leaves the pods running, owned by nobody, also when an agent dies or a node reboots', async () => {
    await apply(set('web'));
    await rolledOut('web');
    const before = await fingerprint(NAMESPACE);
    await inNamespace('delete', 'ds', 'web', '--cascade=orphan');
    expect(await owners()).toEqual(NODES.map(() => 'nobody'));
    expect(await inNamespace('get', 'controllerrevisions', '--no-headers')).toMatch(/^web-\w+ +<none> +1 /);
    await inNode('node1', 'node-ctl', 'agent', 'kill');
    await fleet('reboot', 'node2');
    // What is shown until then may be from before.
    await seeWitness();
    await eventually('all are ready again', async () => {
      const ready = await inNamespace('get', 'pods', '--no-headers');
      return (ready.match(/1\/1 +Running/g) ?? []).length === NODES.length;
    });
    const others = ['node1', 'node3'];
    expect(await fingerprint(NAMESPACE, others)).toBe(
      before
        .split('\n')
        .filter((line) => others.some((node) => line.startsWith(node)))
        .join('\n'),
    );
  });

  it('and delete pod ends one for good; a new DaemonSet takes over the others without a restart', async () => {
    const [gone, ...rest] = await pods();
    await inNamespace('delete', 'pod', gone?.metadata.name ?? '');
    await eventually('it is gone', async () => (await pods()).length === NODES.length - 1);
    const left = rest.map(({ spec }) => spec.nodeName);
    const before = await fingerprint(NAMESPACE, left);
    await apply(set('heir'));
    await rolledOut('heir');
    await eventually(
      'all are its own',
      async () => (await owners()).join() === NODES.map(() => 'heir').join(),
    );
    expect(await fingerprint(NAMESPACE, left)).toBe(before);
    expect((await inNamespace('rollout', 'history', 'ds/heir')).trim().split('\n')).toHaveLength(3);
  });
});

it('rule 62: drain refuses daemon pods unless it may ignore them, and leaves them', async () => {
  const before = await fingerprint(NAMESPACE);
  const refused = await tryKubectl(['drain', 'node3', '--timeout=20s']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('cannot delete DaemonSet-managed Pods');
  expect(await kubectl('drain', 'node3', '--ignore-daemonsets', '--timeout=20s')).toContain(
    'node/node3 drained',
  );
  expect(await kubectl('get', 'node', 'node3')).toContain('SchedulingDisabled');
  expect(await fingerprint(NAMESPACE)).toBe(before);
  await kubectl('uncordon', 'node3');
});

describe('rule 20: a pod that the nodes reject', () => {
  it('is Failed with the reason, and made again ever more seldom', async () => {
    await apply(set('glass', { os: { name: 'windows' } }, 'glass'));
    await eventually('each node has one', async () => {
      const failed = await inNamespace('get', 'pods', '-l', 'app=glass', '--no-headers');
      return (failed.match(/0\/1 +PodOSNotSupported/g) ?? []).length === NODES.length;
    });
    await eventually('it is said', async () =>
      (await inNamespace('describe', 'ds', 'glass')).match(/Warning +FailedDaemonPod/),
    );
    await inNamespace('delete', 'ds', 'glass');
    await eventually('they are gone', async () => (await pods()).length === NODES.length);
  });

  it('stops nothing when it is an update, which goes back', async () => {
    const before = await fingerprint(NAMESPACE);
    const windows = '{"spec":{"template":{"spec":{"os":{"name":"windows"}}}}}';
    const patched = await tryKubectl(['-n', NAMESPACE, 'patch', 'ds', 'heir', '-p', windows]);
    expect(patched.stderr).toContain('Warning: spec.template.spec.os.name');
    await eventually('it has gone back', async () => {
      const { status } = await getJson<{ status: { phase: string; message: string } }>(
        'rollouts',
        'heir',
        '-n',
        NAMESPACE,
      );
      return status.phase === 'RolledBack' && status.message.includes('PodOSNotSupported');
    });
    await eventually('only the old ones are left', async () => {
      const now = await pods();
      return now.length === NODES.length && now.every(({ status }) => status.phase === 'Running');
    });
    expect(await fingerprint(NAMESPACE)).toBe(before);
  });
});
