// A node whose agent falls silent: shown as such, its pod left alone, an update set aside for it and caught up later.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { addressOf, apply, fingerprint, fleetset, getJson, inNode, kubectl } from '../src/fleet.ts';
import { web } from '../src/manifests.ts';

const namespace = 'silent-node';
const PORT = 8106;

interface NodeObject {
  readonly spec: { readonly taints?: readonly { readonly key: string; readonly effect: string }[] };
  readonly status: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}

const node2 = () => getJson<NodeObject>('node', 'node2');
const readyOf = async () => (await node2()).status.conditions.find(({ type }) => type === 'Ready');
const page = async (node: string) => textOf(`http://${await addressOf(node)}:${PORT}/index.html`);

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
  await apply(web({ namespace, port: PORT }));
  await kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
});

afterAll(async () => {
  await inNode('node2', 'node-ctl', 'agent', 'start');
  await kubectl('delete', 'namespace', namespace);
});

describe('a node whose agent is gone', () => {
  it('turns Unknown with Kubernetes’ taints, and its pod runs on', async () => {
    const before = await fingerprint(namespace, ['node2']);
    await inNode('node2', 'node-ctl', 'agent', 'stop');
    await eventually('it is Unknown', async () => (await readyOf())?.status === 'Unknown');
    const { spec } = await node2();
    expect(spec.taints).toMatchObject([
      { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
      { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
    ]);
    expect(await kubectl('get', 'node', 'node2', '--no-headers')).toMatch(/node2 +NotReady/);
    expect(await kubectl('describe', 'node', 'node2')).toMatch(/NodeNotReady.*stopped reporting/);
    expect(await page('node2')).toBe('one');
    expect(await fingerprint(namespace, ['node2'])).toBe(before);
    expect(
      await kubectl(
        'get',
        'pods',
        '-n',
        namespace,
        '--field-selector',
        'spec.nodeName=node2',
        '--no-headers',
      ),
    ).toMatch(/web-\w{5} +1\/1 +Running/);
  });

  it('is set aside by an update, which goes on without it and says so', async () => {
    await apply(web({ namespace, port: PORT, text: 'two' }));
    await eventually(
      'node1 and node3 have it',
      async () => (await page('node1')) === 'two' && (await page('node3')) === 'two',
    );
    expect(await page('node2')).toBe('one');
    const why = await fleetset('why', 'node2', 'web', '-n', namespace);
    expect(why.stdout).toContain('Waiting: the node is silent: set aside until it returns');
  });

  it('catches up when it returns', async () => {
    await inNode('node2', 'node-ctl', 'agent', 'start');
    await eventually('node2 has it', async () => (await page('node2')) === 'two');
    await kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
    const { spec } = await node2();
    expect(spec.taints ?? []).toEqual([]);
    expect((await readyOf())?.reason).toBe('AgentReady');
  });
});
