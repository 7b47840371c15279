// Programs in pods that ask the API as in any cluster, and what finds pods by it: a manifest in the shape of a node agent's
// with real kubectl inside, real Prometheus, and Kubernetes' Python client from outside, by tokens of ServiceAccounts.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import {
  addressOf,
  apply,
  containersOn,
  fingerprint,
  fleet,
  getJson,
  inNode,
  KUBECONFIG,
  kubectl,
  NODES,
  tryKubectl,
} from '../src/fleet.ts';
import { begin, ROOT, tryRun } from '../src/run.ts';

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: {
    readonly nodeName: string;
    readonly serviceAccountName: string;
    readonly volumes: readonly { readonly name: string }[];
  };
  readonly status: {
    readonly podIP: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const example = (name: string) => join(ROOT, 'examples', `${name}.yaml`);
const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

const podsOf = async (namespace: string, app: string): Promise<readonly Pod[]> =>
  (await getJson<{ items: Pod[] }>('pods', '-n', namespace, '-l', `app.kubernetes.io/name=${app}`)).items;
const isReady = ({ status }: Pod) =>
  status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
const readyOn = (namespace: string, app: string, nodes: readonly string[]) =>
  eventually(`${app} is ready on ${nodes}`, async () => {
    const pods = await podsOf(namespace, app);
    const ready = pods.filter(isReady).map(({ spec }) => spec.nodeName);
    if (String(ready.sort()) === String(nodes)) return pods;
    throw new Error(await kubectl('describe', 'pods,ds', '-n', namespace));
  });

/** Of a token: whose it is, or undefined when it is not good. */
async function holderOf(token: string): Promise<string | undefined> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
  const { stdout } = await tryKubectl(['create', '--validate=false', '-f', '-', '-o', 'json'], {
    input: JSON.stringify(review),
  });
  return JSON.parse(stdout).status.user?.username;
}

describe('a manifest in the shape of a node agent’s', () => {
  const FILE = example('node-facts');
  const NAMESPACE = 'kube-system';
  const inPod = (pod: Pod, ...command: string[]) =>
    kubectl('exec', '-n', NAMESPACE, pod.metadata.name, '-c', 'ask', '--', ...command);
  const tokenOf = (pod: Pod) => inPod(pod, 'cat', `${TOKEN}/token`);
  const podOn = async (node: string): Promise<Pod> => {
    const pod = (await podsOf(NAMESPACE, 'node-facts')).find(({ spec }) => spec.nodeName === node);
    if (!pod) throw new Error(`no pod on ${node}`);
    return pod;
  };

  beforeAll(async () => {
    const { stdout, stderr } = await tryKubectl(['apply', '-f', FILE]);
    expect(stdout.match(/ created$/gm)).toHaveLength(6);
    expect(stderr).toContain('fleetset keeps its Endpoints alone');
  });
  afterAll(async () => {
    await kubectl('delete', '--ignore-not-found', '-f', FILE);
  });

  it('runs everywhere, and every pod sees its machine through the API', async () => {
    const pods = await readyOn(NAMESPACE, 'node-facts', NODES);
    for (const pod of pods) {
      const page = await inNode(pod.spec.nodeName, 'curl', '-sf', `http://${pod.status.podIP}:8080/`);
      expect(page).toMatch(new RegExp(`^node: ${pod.spec.nodeName}\nsystem: Debian`));
      expect(page).toContain(`pod/${pod.metadata.name}`);
    }
  });

  it('is unchanged for diff, and when it is applied again', async () => {
    const before = await fingerprint(NAMESPACE);
    expect(await tryKubectl(['diff', '-f', FILE])).toMatchObject({ code: 0, stdout: '' });
    expect((await kubectl('apply', '-f', FILE)).match(/ unchanged$/gm)).toHaveLength(6);
    expect(await fingerprint(NAMESPACE)).toBe(before);
  });

  it('shows the volume in the pod, and gives its files to whom the pod runs as', async () => {
    const pod = await podOn('node1');
    const [volume] = pod.spec.volumes.filter(({ name }) => name.startsWith('kube-api-access-'));
    expect(volume).toMatchObject({
      projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }, {}, {}] },
    });
    expect(pod.spec.serviceAccountName).toBe('node-facts');
    expect(await inPod(pod, 'stat', '-Lc', '%a %u', `${TOKEN}/token`)).toBe('600 65534\n');
    expect(await inPod(pod, 'cat', `${TOKEN}/namespace`)).toBe(NAMESPACE);
    const { data } = await getJson<{ data: { 'ca.crt': string } }>('cm', 'kube-root-ca.crt', '-n', NAMESPACE);
    expect(await inPod(pod, 'cat', `${TOKEN}/ca.crt`)).toBe(data['ca.crt']);
    expect(await inPod(pod, 'grep', TOKEN, '/proc/mounts')).toMatch(/^tmpfs .* ro,/);
  });

  it('lets its pods do what their role says, and no more', async () => {
    const pod = await podOn('node2');
    expect(await inPod(pod, 'kubectl', 'get', 'nodes', '-o', 'name')).toBe(
      'node/node1\nnode/node2\nnode/node3\n',
    );
    const words = [
      'exec',
      '-n',
      NAMESPACE,
      pod.metadata.name,
      '-c',
      'ask',
      '--',
      'kubectl',
      'get',
      'secrets',
    ];
    expect((await tryKubectl(words)).stderr).toContain(
      'User "system:serviceaccount:kube-system:node-facts" cannot list resource "secrets"',
    );
  });

  it('has a token for each pod that ends with the pod', async () => {
    const pod = await podOn('node1');
    const token = await tokenOf(pod);
    expect(await holderOf(token)).toBe('system:serviceaccount:kube-system:node-facts');
    await kubectl('delete', 'pod', '-n', NAMESPACE, pod.metadata.name);
    expect(await holderOf(token)).toBeUndefined();
    await readyOn(NAMESPACE, 'node-facts', NODES);
    expect(await holderOf(await tokenOf(await podOn('node1')))).toContain('node-facts');
  });

  it('has Endpoints of what stands behind its Service', async () => {
    const pods = await readyOn(NAMESPACE, 'node-facts', NODES);
    const ips = pods.map(({ status }) => status.podIP).sort();
    await eventually('they are in the Endpoints', async () => {
      const { subsets } = await getJson<{ subsets: { addresses: { ip: string }[]; ports: object[] }[] }>(
        'endpoints',
        'node-facts',
        '-n',
        NAMESPACE,
      );
      return String(subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)).sort()) === String(ips);
    });
    expect(await kubectl('get', 'endpointslices', '-n', NAMESPACE)).toMatch(/node-facts-\w{5} +IPv4 +8080 /);
  });

  it('keeps its tokens over a restart of the agent, and a boot without the plane', async () => {
    const pod = await podOn('node3');
    const [token, running] = [await tokenOf(pod), await containersOn('node3', NAMESPACE)];
    await inNode('node3', 'node-ctl', 'agent', 'kill');
    const after = await eventually('its agent is back', () => tokenOf(pod));
    expect([after, await containersOn('node3', NAMESPACE)]).toEqual([token, running]);
    await fleet('stop', 'plane');
    await fleet('reboot', 'node3');
    const held = (file: string) =>
      inNode(
        'node3',
        'sh',
        '-c',
        `docker exec "$(docker ps -q --filter label=io.kubernetes.pod.uid=${pod.metadata.uid} --filter label=io.kubernetes.container.name=ask)" cat ${TOKEN}/${file}`,
      );
    await eventually('the pod runs again', async () => (await held('token')) === token);
    expect(await held('namespace')).toBe(NAMESPACE);
    await fleet('start', 'plane');
    // Its container may have another address by now, and pods know the one of their birth.
    await eventually('its pod can be deleted', async () => {
      await kubectl('delete', 'pod', '-n', NAMESPACE, pod.metadata.name, '--ignore-not-found');
      return (await podOn('node3')).metadata.uid !== pod.metadata.uid;
    });
    await eventually('the next one speaks with the plane', async () => {
      const name = await inPod(await podOn('node3'), 'kubectl', 'get', 'node', 'node3', '-o', 'name');
      return name === 'node/node3\n';
    });
  });

  it('makes no pod without its account, and says so; what runs stays', async () => {
    await apply({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'accountless', namespace: NAMESPACE },
      spec: {
        selector: { matchLabels: { app: 'accountless' } },
        template: {
          metadata: { labels: { app: 'accountless' } },
          spec: {
            serviceAccountName: 'nobody',
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'main', image: 'busybox:1.35', command: ['sleep', '100000'] }],
          },
        },
      },
    });
    await eventually('it is said', async () =>
      (await kubectl('describe', 'ds', 'accountless', '-n', NAMESPACE)).includes(
        'Error creating: pods "accountless-" is forbidden: error looking up service account kube-system/nobody: serviceaccount "nobody" not found',
      ),
    );
    expect(await kubectl('get', 'pods', '-n', NAMESPACE, '-l', 'app=accountless', '-o', 'name')).toBe('');
    await kubectl('create', 'serviceaccount', 'nobody', '-n', NAMESPACE);
    await eventually('its pods come', async () => {
      const { status } = await getJson<{ status: { numberReady: number } }>(
        'ds',
        'accountless',
        '-n',
        NAMESPACE,
      );
      return status.numberReady === NODES.length;
    });
    await kubectl('delete', 'ds,sa', '-n', NAMESPACE, 'accountless', 'nobody', '--ignore-not-found');
  });

  it('is deleted as cleanly', async () => {
    const deleted = await kubectl('delete', '-f', FILE);
    expect(deleted.match(/ deleted$/gm)).toHaveLength(6);
    expect(
      (
        await kubectl(
          'get',
          'ds,cm,sa,svc,endpoints',
          '-n',
          NAMESPACE,
          '-l',
          'app.kubernetes.io/name=node-facts',
        )
      ).trim(),
    ).toBe('');
    expect(
      (
        await kubectl('get', 'clusterrole,clusterrolebinding', '-l', 'app.kubernetes.io/name=node-facts')
      ).trim(),
    ).toBe('');
    for (const node of NODES)
      await eventually(
        `nothing is left on ${node}`,
        async () => (await containersOn(node, NAMESPACE)).size === 0,
      );
  });
});

describe('Prometheus in a pod', () => {
  const FILES = ['-f', example('node-exporter'), '-f', example('prometheus')];
  let address: string;
  const query = async (
    text: string,
  ): Promise<readonly { metric: { [label: string]: string }; value: [number, string] }[]> => {
    const url = `http://${address}:9090/api/v1/query?query=${encodeURIComponent(text)}`;
    const reply = (await (await fetch(url)).json()) as { data: { result: never[] } };
    return reply.data.result;
  };

  beforeAll(async () => {
    await kubectl('label', 'node', 'node1', 'monitoring=prometheus');
    await kubectl('apply', ...FILES);
    address = await addressOf('node1');
    await readyOn('monitoring', 'node-exporter', NODES);
    await readyOn('monitoring', 'prometheus', ['node1']);
  });
  afterAll(async () => {
    await kubectl('delete', '--ignore-not-found', ...FILES);
    await kubectl('label', 'node', 'node1', 'monitoring-');
  });

  it.each(['nodes', 'pods', 'endpoints', 'endpointslices'])(
    'finds and scrapes every machine by %s',
    async (job) => {
      await eventually(
        `${job} are up`,
        async () => {
          const up = await query(`up{job="${job}"} == 1`);
          const nodes = up.map(({ metric }) => metric.node).sort();
          if (String(nodes) === String(NODES)) return true;
          throw new Error(JSON.stringify(await query(`up{job="${job}"}`)));
        },
        90_000,
      );
    },
  );

  it('has metrics of the machines themselves', async () => {
    await eventually('they came', async () => {
      const found = await query('node_uname_info{job="nodes"}');
      return String(found.map(({ metric }) => metric.nodename).sort()) === String(NODES);
    });
  });

  it('notices a machine whose exporter ends, and one that has it again', async () => {
    await kubectl('label', 'ds', 'node-exporter', '-n', 'monitoring', 'touched=yes');
    const patch = { spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': 'node2' } } } } };
    await kubectl(
      'patch',
      'ds',
      'node-exporter',
      '-n',
      'monitoring',
      '--type=merge',
      '-p',
      JSON.stringify(patch),
    );
    const found = (job: string) => async () =>
      String((await query(`up{job="${job}"} == 1`)).map(({ metric }) => metric.node)) === 'node2';
    for (const job of ['pods', 'endpoints', 'endpointslices'])
      await eventually(`${job} are node2 alone`, found(job), 90_000);
  });
});

describe('Kubernetes’ Python client', async () => {
  const { code, stderr } = await tryRun('hack/python-kubernetes', ['-c', 'import kubernetes'], {
    timeoutMs: 300_000,
  });
  const why = code === 3 ? ` (skipped: ${stderr.trim()})` : '';
  const NAMESPACE = 'python-client';
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetset-python-'));
    await kubectl('create', 'namespace', NAMESPACE);
  });
  afterAll(async () => {
    await kubectl('delete', 'namespace', NAMESPACE);
    await rm(folder, { recursive: true });
  });

  it.skipIf(why !== '')(`lists and watches pods and daemonsets by a token${why}`, async () => {
    await kubectl('create', 'serviceaccount', 'python', '-n', NAMESPACE);
    await kubectl(
      'create',
      'rolebinding',
      'python',
      '-n',
      NAMESPACE,
      '--clusterrole=view',
      `--serviceaccount=${NAMESPACE}:python`,
    );
    const daemonSet = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'seen', namespace: NAMESPACE },
      spec: {
        selector: { matchLabels: { 'app.kubernetes.io/name': 'seen' } },
        template: {
          metadata: { labels: { 'app.kubernetes.io/name': 'seen' } },
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 0,
            containers: [{ name: 'main', image: 'busybox:1.35', command: ['sleep', '100000'] }],
          },
        },
      },
    };
    await apply(daemonSet);
    const pods = await readyOn(NAMESPACE, 'seen', NODES);
    const token = (await kubectl('create', 'token', 'python', '-n', NAMESPACE)).trim();
    const ca = join(folder, 'ca.crt');
    const { data } = await getJson<{ data: { 'ca.crt': string } }>('cm', 'kube-root-ca.crt', '-n', NAMESPACE);
    await writeFile(ca, data['ca.crt']);
    const server = /server: (\S+)/.exec(await readFile(KUBECONFIG, 'utf8'))?.[1] ?? '';
    const python = begin('hack/python-kubernetes', ['e2e/src/watch_fleet.py', server, ca, token, NAMESPACE]);
    const said = () =>
      python
        .said()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line));
    try {
      await eventually('it has listed both', () => said().filter(({ listed }) => listed).length === 2);
      const listed = Object.fromEntries(said().map(({ listed: kind, ...rest }) => [kind, rest]));
      expect(listed.daemonsets.names).toEqual(['seen']);
      expect([...listed.pods.names].sort()).toEqual(pods.map(({ metadata }) => metadata.name).sort());
      expect([...listed.pods.nodes].sort()).toEqual(NODES);
      await kubectl('label', 'ds', 'seen', '-n', NAMESPACE, 'touched=yes');
      await eventually('it sees the change', () =>
        said().some(
          ({ watched, type, labels }) =>
            watched === 'daemonsets' && type === 'MODIFIED' && labels?.touched === 'yes',
        ),
      );
      await kubectl('delete', 'ds', 'seen', '-n', NAMESPACE);
      const gone = (kind: string) =>
        said().some(({ watched, type }) => watched === kind && type === 'DELETED');
      await eventually('it sees both go', () => gone('pods') && gone('daemonsets'));
    } finally {
      await python.stop();
    }
  });
});
