// The main job on a fleet of three nodes with their own engines: place, update, kill, restart, reboot, leave, join.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { textOf, watchDowntime } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import {
  addressOf,
  apply,
  containersOn,
  fingerprint,
  fleet,
  fleetset,
  getJson,
  inNode,
  kubectl,
  NODES,
} from '../src/fleet.ts';
import { web } from '../src/manifests.ts';
import { seeWitness } from '../src/witness.ts';

const namespace = 'main-job';
const PORT = 8101;
let urls: { readonly [node: string]: string };

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
    readonly spec: { readonly nodeName: string };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

const isReady = ({ status }: PodList['items'][number]) =>
  status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
const pods = async () => (await getJson<PodList>('pods', '-n', namespace)).items;
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
const nodesOf = (list: PodList['items']) => list.map(({ spec }) => spec.nodeName).sort();
const nodesWithPods = async () => nodesOf(await pods());
const nodesWithReadyPods = async () => nodesOf((await pods()).filter(isReady));

beforeAll(async () => {
  urls = Object.fromEntries(
    await Promise.all(
      NODES.map(async (node) => [node, `http://${await addressOf(node)}:${PORT}/index.html`]),
    ),
  );
  await kubectl('create', 'namespace', namespace);
  await apply(web({ namespace, port: PORT }));
  await rolledOut();
});

afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('a fleet of three nodes', () => {
  it('runs one ready pod on every node, and it answers', async () => {
    expect(await nodesWithPods()).toEqual([...NODES]);
    for (const node of NODES) expect(await textOf(urls[node] ?? '')).toBe('one');
    const { status } = await getJson<{ status: object }>('ds', 'web', '-n', namespace);
    expect(status).toMatchObject({ desiredNumberScheduled: 3, numberReady: 3, numberAvailable: 3 });
  });

  it('updates one node at a time, and never has more than one down', async () => {
    const watch = watchDowntime(Object.values(urls));
    await apply(web({ namespace, port: PORT, text: 'two' }));
    await rolledOut();
    await watch.stop();
    for (const node of NODES) expect(await textOf(urls[node] ?? '')).toBe('two');
    expect(watch.worst()).toBe(1);
    expect(watch.rounds()).toBeGreaterThan(10);
  });

  it('changes nothing when the same manifest is applied again', async () => {
    const before = await fingerprint(namespace);
    expect(await apply(web({ namespace, port: PORT, text: 'two' }))).toContain('unchanged');
    expect(await fingerprint(namespace)).toBe(before);
  });

  it('starts a killed container again in the same pod, and counts it', async () => {
    const [container] = (await containersOn('node1', namespace)).get('web/web') ?? [];
    await inNode('node1', 'docker', 'kill', container?.id ?? '');
    await eventually('another container answers on node1', async () => {
      const [now] = (await containersOn('node1', namespace)).get('web/web') ?? [];
      return now !== undefined && now.id !== container?.id && (await textOf(urls.node1 ?? '')) === 'two';
    });
    await eventually('one restart is shown', async () =>
      (
        await kubectl(
          'get',
          'pods',
          '-n',
          namespace,
          '--field-selector',
          'spec.nodeName=node1',
          '--no-headers',
        )
      ).match(/1\/1\s+Running\s+1 \(/),
    );
  });

  it('makes a container anew that was removed behind its back', async () => {
    const [container] = (await containersOn('node2', namespace)).get('web/web') ?? [];
    await inNode('node2', 'docker', 'rm', '-f', container?.id ?? '');
    await eventually('another container answers on node2', async () => {
      const now = (await containersOn('node2', namespace)).get('web/web') ?? [];
      return now.length === 1 && now[0]?.id !== container?.id && (await textOf(urls.node2 ?? '')) === 'two';
    });
  });

  it('restarts nothing when an agent is killed with -9 and comes back', async () => {
    const before = await fingerprint(namespace);
    const pid = () => inNode('node1', 'node-ctl', 'agent', 'pid');
    const killed = Number(await pid());
    await inNode('node1', 'node-ctl', 'agent', 'kill');
    await eventually('another agent runs on node1', async () => ![0, killed].includes(Number(await pid())));
    await seeWitness();
    await rolledOut();
    expect(await fingerprint(namespace)).toBe(before);
    expect(await nodesWithPods()).toEqual([...NODES]);
  });

  it('gives a deleted pod a successor on the same node', async () => {
    const old = (await pods()).find(({ spec }) => spec.nodeName === 'node3');
    await kubectl('delete', 'pod', old?.metadata.name ?? '', '-n', namespace);
    await eventually('a new pod is ready on node3', async () => {
      const now = (await pods()).filter(({ spec }) => spec.nodeName === 'node3');
      return now.length === 1 && now[0]?.metadata.uid !== old?.metadata.uid && now.every(isReady);
    });
  });
});

describe('taints and labels', () => {
  afterEach(async () => {
    await kubectl('taint', 'nodes', '--all', 'keep-out-').catch(() => {});
    await kubectl('label', 'nodes', '--all', 'tier-').catch(() => {});
    // Shown is not running: what a test compares the containers with must stand.
    await eventually(
      'the pod of every node is ready',
      async () => (await nodesWithReadyPods()).join() === NODES.join(),
    );
  });

  it('a NoExecute taint sends the pod away, and it returns with the taint gone', async () => {
    await kubectl('taint', 'node', 'node2', 'keep-out=yes:NoExecute');
    await eventually('no pod on node2', async () => !(await nodesWithPods()).includes('node2'));
    expect((await containersOn('node2', namespace)).size).toBe(0);
    const why = await fleetset('why', 'node2', 'web', '-n', namespace);
    expect(why.code).toBe(3);
    expect(why.stdout).toContain('taint keep-out=yes:NoExecute is not tolerated');
    await eventually('two are counted', async () => {
      const { status } = await getJson<{
        status: { desiredNumberScheduled: number; currentNumberScheduled: number };
      }>('ds', 'web', '-n', namespace);
      return status.desiredNumberScheduled === 2 && status.currentNumberScheduled === 2;
    });
  });

  it('a NoSchedule taint leaves the pod, which counts as misscheduled and has no successor', async () => {
    const before = await fingerprint(namespace);
    await kubectl('taint', 'node', 'node2', 'keep-out=yes:NoSchedule');
    await eventually('it counts as misscheduled', async () => {
      const { status } = await getJson<{ status: { numberMisscheduled: number } }>(
        'ds',
        'web',
        '-n',
        namespace,
      );
      return status.numberMisscheduled === 1;
    });
    expect(await fingerprint(namespace)).toBe(before);
    const pod = (await pods()).find(({ spec }) => spec.nodeName === 'node2');
    await kubectl('delete', 'pod', pod?.metadata.name ?? '', '-n', namespace);
    await seeWitness();
    expect(await nodesWithPods()).toEqual(['node1', 'node3']);
    expect((await containersOn('node2', namespace)).size).toBe(0);
  });

  it('a nodeSelector follows labels set with kubectl, and why says which one is missing', async () => {
    await kubectl('label', 'nodes', 'node1', 'node3', 'tier=edge');
    await apply(web({ namespace, port: PORT, text: 'two', nodeSelector: { tier: 'edge' } }));
    await eventually('only labelled nodes', async () => (await nodesWithPods()).join() === 'node1,node3');
    const why = await fleetset('why', 'node2', 'ds/web', '-n', namespace);
    expect(why.stdout).toContain('nodeSelector wants tier=edge, the node has no label tier');
    await kubectl('label', 'node', 'node2', 'tier=edge');
    await eventually('node2 too', async () => (await nodesWithPods()).join() === NODES.join());
    await kubectl('label', 'node', 'node1', 'tier-');
    await eventually('node1 no more', async () => (await nodesWithPods()).join() === 'node2,node3');
    await apply(web({ namespace, port: PORT, text: 'two' }));
    await rolledOut();
  });
});

describe('the plane away', () => {
  afterEach(async () => {
    await fleet('start', 'plane');
    await eventually('every node is ready again', async () => {
      const lines = (await kubectl('get', 'nodes', '--no-headers')).trim().split('\n');
      return lines.length === NODES.length && lines.every((line) => / Ready /.test(line));
    });
  });

  it('a killed container comes back', async () => {
    await fleet('stop', 'plane');
    const [container] = (await containersOn('node1', namespace)).get('web/web') ?? [];
    await inNode('node1', 'docker', 'kill', container?.id ?? '');
    await eventually('it answers again', async () => {
      const [now] = (await containersOn('node1', namespace)).get('web/web') ?? [];
      return now !== undefined && now.id !== container?.id && (await textOf(urls.node1 ?? '')) === 'two';
    });
  });

  it('a node that reboots hard starts its pods from what it was told last', async () => {
    await fleet('stop', 'plane');
    await fleet('reboot', 'node2', '--hard');
    const address = await addressOf('node2');
    await eventually(
      'it answers again',
      async () => (await textOf(`http://${address}:${PORT}/index.html`)) === 'two',
      90_000,
    );
    expect((await containersOn('node2', namespace)).get('web/web')).toHaveLength(1);
  });

  it('its restart restarts nothing, and nothing is planned anew', async () => {
    const before = await fingerprint(namespace);
    const uids = (await pods()).map(({ metadata }) => metadata.uid).sort();
    await fleet('reboot', 'plane');
    await eventually('the plane answers again', () => kubectl('get', '--raw', '/readyz'));
    await seeWitness();
    await eventually('kubectl sees the same pods', async () => {
      const now = (await pods()).map(({ metadata }) => metadata.uid).sort();
      return now.join() === uids.join();
    });
    await rolledOut();
    expect(await fingerprint(namespace)).toBe(before);
  });

  it.each([
    ['of its container', () => fleet('reboot', 'plane', '--hard')],
    // Its container ends with it, maybe before pkill does.
    ['of its process', () => inNode('plane', 'pkill', '-KILL', '-f', 'fleetset.js plane').catch(() => {})],
  ])('kill -9 %s restarts nothing, and it comes back', async (_what, kill) => {
    const before = await fingerprint(namespace);
    const startedAt = async () => (await inNode('plane', 'cat', '/proc/1/stat')).split(' ')[21];
    const killed = await startedAt();
    await kill();
    await eventually('its container runs anew', async () => (await startedAt()) !== killed);
    await eventually('kubectl answers', async () => (await nodesWithPods()).join() === NODES.join());
    await seeWitness();
    await rolledOut();
    expect(await fingerprint(namespace)).toBe(before);
  });
});

describe('the engine away', () => {
  it('turns the node NotReady with the reason, and restarts what died with it', async () => {
    await inNode('node3', 'node-ctl', 'docker', 'stop');
    await eventually('node3 is NotReady', async () =>
      (await kubectl('describe', 'node', 'node3')).match(/Ready\s+False.*ContainerRuntimeNotReady/),
    );
    await inNode('node3', 'node-ctl', 'docker', 'start');
    await eventually('it answers again', async () => (await textOf(urls.node3 ?? '')) === 'two');
    await rolledOut();
    expect((await containersOn('node3', namespace)).get('web/web')).toHaveLength(1);
  });
});

describe('what a node can see', () => {
  it('of the plane is the join line, and not the key to everything', async () => {
    expect(await inNode('node1', 'ls', '-A', '/join')).toBe('command\n');
    expect(await inNode('plane', 'cat', '/var/lib/fleetset/kubeconfig')).toContain('client-key-data');
  });
});

describe('a node that joins and leaves', () => {
  it('gets its pod with nobody asking, and gives it up when it is deleted', async () => {
    await fleet('add', 'node4');
    try {
      const address = await addressOf('node4');
      await eventually(
        'it answers',
        async () => (await textOf(`http://${address}:${PORT}/index.html`)) === 'two',
      );
      await eventually('its pod is shown', async () => String(await nodesWithPods()) === `${NODES},node4`);
      await kubectl('delete', 'node', 'node4');
      await eventually(
        'its containers are gone',
        async () => (await containersOn('node4', namespace)).size === 0,
      );
      await eventually('its pod is gone', async () => String(await nodesWithPods()) === String(NODES));
      await expect(fleet('add', 'node4')).rejects.toThrow(
        /node4 was deleted .*its key never comes back; first: .*hack\/fleet remove node4$/m,
      );
    } finally {
      await fleet('remove', 'node4');
    }
  });
});
