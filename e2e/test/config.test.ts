// ConfigMaps and Secrets on the real fleet: a DaemonSet waits for them with the words users know, its pods have them,
// follow them, and start with them on a node that boots alone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import {
  addressOf,
  apply,
  containersOn,
  fingerprint,
  fleet,
  getJson,
  inNode,
  kubectl,
  NODES,
} from '../src/fleet.ts';
import { web } from '../src/manifests.ts';

const namespace = 'config';
const PORT = 8108;

const texts = (path = 'index.html') =>
  Promise.all(NODES.map(async (node) => textOf(`http://${await addressOf(node)}:${PORT}/${path}`)));
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
const describePods = () => kubectl('describe', 'pods', '-n', namespace);
const exec = async (node: string, script: string) => {
  const [app] = (await containersOn(node, namespace)).get('web/web') ?? [];
  return (await inNode(node, 'docker', 'exec', app?.id ?? '', 'sh', '-c', script)).trim();
};

/** Serves the volume itself, and in index.html what its environment was. */
const manifest = web({
  namespace,
  port: PORT,
  command: [
    'sh',
    '-c',
    `mkdir /srv && ln -s /conf /srv/conf && echo "$LEVEL $PASSWORD $NODE" > /srv/index.html && exec httpd -f -p ${PORT} -h /srv`,
  ],
  container: {
    env: [
      { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'app', key: 'level' } } },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    ],
    volumeMounts: [
      { name: 'conf', mountPath: '/conf' },
      { name: 'key', mountPath: '/key' },
      { name: 'scratch', mountPath: '/scratch' },
    ],
  },
  pod: {
    volumes: [
      { name: 'conf', configMap: { name: 'app' } },
      { name: 'key', secret: { secretName: 'login', defaultMode: 0o400 } },
      { name: 'scratch', emptyDir: {} },
    ],
  },
});

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
});
afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('a DaemonSet that names a ConfigMap and a Secret', () => {
  it('waits for them, and says so', async () => {
    await apply(manifest);
    await eventually('the missing ConfigMap is said', async () =>
      /FailedMount.*MountVolume.SetUp failed for volume "conf" : configmap "app" not found/.test(
        await describePods(),
      ),
    );
    await kubectl('create', 'configmap', 'app', '-n', namespace, '--from-literal=level=debug');
    await eventually('the missing Secret is said', async () =>
      /secret "login" not found/.test(await describePods()),
    );
    await kubectl('create', 'secret', 'generic', 'login', '-n', namespace, '--from-literal=password=s3cret');
    await rolledOut();
    expect(await texts()).toEqual(NODES.map((node) => `debug s3cret ${node}`));
    expect(await texts('conf/level')).toEqual(['debug', 'debug', 'debug']);
    expect(await exec('node1', 'cat /key/password; stat -L -c %a /key/password; stat -f -c %T /key')).toBe(
      's3cret400\ntmpfs',
    );
  });

  it('has no Secret in clear on the disk of a node', async () => {
    const found = await inNode(
      'node1',
      'sh',
      '-c',
      `grep -rl --exclude-dir=volumes -e s3cret -e ${Buffer.from('s3cret').toString('base64')} /var/lib/fleetset || true`,
    );
    expect(found.trim()).toBe('');
    expect((await inNode('node1', 'stat', '-c', '%a', '/var/lib/fleetset/agent/bodies.key')).trim()).toBe(
      '600',
    );
  });

  it('has a change in its files while it runs', async () => {
    const before = await fingerprint(namespace);
    await kubectl('create', 'configmap', 'other', '-n', namespace, '--from-literal=a=b');
    await kubectl('patch', 'configmap', 'app', '-n', namespace, '-p', '{"data":{"level":"info"}}');
    await eventually('all have it', async () => String(await texts('conf/level')) === 'info,info,info');
    expect(await fingerprint(namespace)).toBe(before);
    expect(await texts()).toEqual(NODES.map((node) => `debug s3cret ${node}`));
  });

  it('starts with all of it on a node that boots while the plane is away', async () => {
    await exec('node2', 'echo kept > /scratch/a');
    await fleet('stop', 'plane');
    await fleet('reboot', 'node2', '--hard');
    await eventually('the page answers', async () => (await texts())[1] === 'info s3cret node2', 120_000);
    expect(await exec('node2', 'cat /scratch/a /key/password; stat -f -c %T /key')).toBe('kept\ns3crettmpfs');
    await fleet('start', 'plane');
    // A silent node is not among those that should run it. They dial again when they have looked up the plane's address.
    await eventually('all nodes have told their decision', async () => {
      const { items } = await getJson<{ items: { status: { decidedBy: string } }[] }>(
        'placements',
        '-n',
        namespace,
      );
      return items.length === NODES.length && items.every(({ status }) => status.decidedBy === 'Agent');
    });
  });
});

describe('an update that names what is not there', () => {
  it('leaves the old pods running until it appears', async () => {
    const before = await fingerprint(namespace);
    await kubectl(
      'patch',
      'ds',
      'web',
      '-n',
      namespace,
      '-p',
      JSON.stringify({
        spec: {
          template: {
            spec: { containers: [{ name: 'web', envFrom: [{ configMapRef: { name: 'later' } }] }] },
          },
        },
      }),
    );
    await eventually('it is said', async () =>
      /CreateContainerConfigError[\s\S]*configmap "later" not found/.test(
        `${await kubectl('get', 'pods', '-n', namespace)}${await describePods()}`,
      ),
    );
    expect(await fingerprint(namespace)).toBe(before);
    await kubectl('create', 'configmap', 'later', '-n', namespace, '--from-literal=MORE=yes');
    await rolledOut();
    expect(await exec('node3', 'echo $MORE')).toBe('yes');
  });
});
