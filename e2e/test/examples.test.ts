// Every manifest of examples/, and every one that people bring from guides (../shared/manifests), as it is: all at once
// on one fleet, and then whether each does what it is for. node1 is a machine of the control plane, node2 an old master,
// node3 a plain one.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { addressOf, getJson, inNode, kubectl, NODES, tryKubectl } from '../src/fleet.ts';
import { type NameServer, startNameServer } from '../src/name-server.ts';
import { ROOT } from '../src/run.ts';

const EXAMPLES = join(ROOT, 'examples');
const GUIDES = join(ROOT, '../shared/manifests');
const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';
const MASTER = 'node-role.kubernetes.io/master';
const PLAIN = 'node3';

const shell = (node: string, script: string) => inNode(node, 'sh', '-c', script);
const everywhere = (script: string) => Promise.all(NODES.map((node) => shell(node, script)));
const inPod = async (daemonSet: string, namespace: string, script: string) =>
  (await kubectl('exec', '-n', namespace, `ds/${daemonSet}`, '--', 'sh', '-c', script)).trim().split('\n');

interface Pod {
  readonly metadata: { readonly name: string; readonly ownerReferences?: readonly { name: string }[] };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly conditions?: readonly { type: string; status: string }[] };
}

/** Where a DaemonSet's pods are ready, when all of them are. */
const readyOn = (daemonSet: string, namespace: string, nodes: readonly string[]) =>
  eventually(`${daemonSet} is ready on ${nodes}`, async () => {
    const { items } = await getJson<{ items: Pod[] }>('pods', '-n', namespace);
    const ready = items
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ name }) => name === daemonSet))
      .filter(({ status }) => status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'))
      .map(({ spec }) => spec.nodeName)
      .sort();
    if (ready.join() === nodes.join()) return true;
    throw new Error(`ready on ${ready}; ${await kubectl('get', 'pods', '-n', namespace)}`);
  });

interface EngineContainer {
  readonly Id: string;
  readonly HostConfig: { readonly [name: string]: unknown };
}

/** The newest of a DaemonSet's containers of this name on a node, in whatever state. In a crash loop the one that is
 *  listed may be gone when it is looked at. */
const engineContainer = (node: string, daemonSet: string, name: string) =>
  eventually(`${node} has a container ${name} of ${daemonSet}`, async () => {
    const filters = `--filter label=dev.fleetset.daemonset=${daemonSet} --filter label=io.kubernetes.container.name=${name}`;
    const found = await shell(node, `docker inspect $(docker ps -aq ${filters} | head -n 1)`);
    return (JSON.parse(found) as EngineContainer[])[0];
  });

const mount = (wanted: object) => expect.objectContaining({ Type: 'bind', ...wanted });

const metricsOf = async (node: string) => textOf(`http://${await addressOf(node)}:9100/metrics`);
const seesItsMachine = (node: string) =>
  eventually(`the metrics of ${node} are its own`, async () =>
    new RegExp(`^node_uname_info\\{.*nodename="${node}"`, 'm').test(await metricsOf(node)),
  );

/** In a container of the fleet's nodes no engine can give what it does not have itself. */
const isRefusedAsPrivileged = (daemonSet: string, namespace: string) =>
  eventually(`the engine's reason is shown for ${daemonSet}`, async () =>
    /operation not permitted/.test(
      await kubectl('describe', 'pods', '-n', namespace, '-l', `k8s-app=${daemonSet}`),
    ),
  );

beforeAll(async () => {
  await kubectl('taint', 'node', 'node1', `${CONTROL_PLANE}=:NoSchedule`);
  await kubectl('taint', 'node', 'node2', `${MASTER}=:NoSchedule`);
});
afterAll(async () => {
  await kubectl('taint', 'node', 'node1', `${CONTROL_PLANE}-`);
  await kubectl('taint', 'node', 'node2', `${MASTER}-`);
});

describe('examples/', () => {
  const KEPT = '/var/log/aggregated';
  const LINE = 'a line of the machine';
  const lines = async (node: string, file: string) =>
    (await shell(node, `cat ${KEPT}/*/${file}.log`)).split('\n');
  const arrives = (node: string, file: string, text: string | RegExp) =>
    eventually(`${text} arrives in ${file} of ${node}`, async () =>
      (await lines(node, file)).find((line) =>
        typeof text === 'string' ? line.includes(text) : text.test(line),
      ),
    );
  let files: string[];

  beforeAll(async () => {
    // The RolloutPolicy would hold back what is applied here until a person approves.
    const all = globSync('*.yaml', { cwd: EXAMPLES });
    files = all
      .filter((file) => file !== 'rollout-policy.yaml')
      .flatMap((file) => ['-f', join(EXAMPLES, file)]);
    await everywhere('rm -f /run/provisioned');
    await kubectl('apply', ...files);
  });
  afterAll(async () => {
    await kubectl('delete', '--ignore-not-found', ...files);
    await everywhere(`rm -rf ${KEPT} /var/lib/container-records /var/log/e2e.log /run/provisioned`);
  });

  it('node-exporter: the metrics of every machine can be scraped', async () => {
    await readyOn('node-exporter', 'monitoring', NODES);
    await Promise.all(NODES.map(seesItsMachine));
  });

  it('log-collector and log-aggregator: what is written to /var/log arrives, tainted machines included', async () => {
    await readyOn('log-aggregator', 'logging', NODES);
    await readyOn('log-collector', 'logging', NODES);
    await everywhere(`echo "${LINE} $(hostname)" >> /var/log/e2e.log`);
    for (const node of NODES) await arrives(node, 'files', `${LINE} ${node}`);
  });

  it('disk-watch: waits until the machine is provisioned, and says so', async () => {
    const pods = () => kubectl('get', 'pods', '-n', 'hardened', '--no-headers', '-o', 'wide');
    await eventually('one pod waits', async () => /Init:0\/1 .* node3 /.test(await pods()));
    expect((await pods()).trim().split('\n')).toHaveLength(1);
    await eventually('it says what for', async () =>
      (await kubectl('logs', '-n', 'hardened', 'ds/disk-watch', '-c', 'wait')).startsWith(
        'waiting for /run/provisioned\n',
      ),
    );
    await shell(PLAIN, 'touch /run/provisioned');
    await readyOn('disk-watch', 'hardened', [PLAIN]);
    await eventually('it has looked at the disk', () =>
      inPod('disk-watch', 'hardened', 'test -s /reports/df'),
    );
  });

  it('disk-watch: has hardly a right, and writes where it may', async () => {
    expect(
      await inPod(
        'disk-watch',
        'hardened',
        `id -u; id -g; id -G | grep -ow 2000
         grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/1/status | tr '\\t' ' '
         touch /tmp/a 2>&1; touch /host/log/a 2>&1; test -s /reports/df && echo written`,
      ),
    ).toEqual([
      '1000',
      '1000',
      '2000',
      'CapEff: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
      'touch: /tmp/a: Read-only file system',
      'touch: /host/log/a: Read-only file system',
      'written',
    ]);
  });

  it('log-collector: what a container writes arrives too', async () => {
    const said = await eventually('it says something', async () => {
      const [, line] = (await kubectl('logs', '-n', 'hardened', 'ds/disk-watch')).match(/^(.* \S+%)/) ?? [];
      return line;
    });
    await arrives(PLAIN, 'containers', said);
  });

  it('container-records: a record for each line, and after a kill it goes on where it was', async () => {
    await readyOn('container-records', 'logging', [PLAIN]);
    const about = /"stream":"stdout".*"line":"\S+ +\d+ .*%/;
    expect(await arrives(PLAIN, 'records', about)).toContain(`"node":"${PLAIN}"`);
    expect(await inPod('container-records', 'logging', 'stat -Lc %a /etc/records.conf')).toEqual(['600']);
    const { Id } = await engineContainer(PLAIN, 'container-records', 'rsyslog');
    await shell(PLAIN, `docker kill ${Id}`);
    const { Id: speaker } = await engineContainer(PLAIN, 'disk-watch', 'watch');
    await shell(PLAIN, `docker exec ${speaker} sh -c 'echo said later > /proc/1/fd/1'`);
    await arrives(PLAIN, 'records', '"line":"said later"');
    // Without the time of arrival; the engine's own time of a line is in the record.
    const records = (await lines(PLAIN, 'records')).map((line) => line.slice(line.indexOf('{')));
    expect(new Set(records).size).toBe(records.length);
    expect(await shell(PLAIN, 'ls /var/lib/container-records')).toContain('imfile-state');
  });

  it('network-modules: is made privileged with /lib/modules; the engines of this fleet cannot start such a one, and say so', async () => {
    await isRefusedAsPrivileged('network-modules', 'kube-system');
    const { HostConfig } = await engineContainer('node1', 'network-modules', 'modules');
    expect(HostConfig).toMatchObject({ Privileged: true, NetworkMode: 'host' });
    expect(HostConfig.Mounts).toEqual(
      expect.arrayContaining([
        mount({ Source: '/lib/modules', Target: '/lib/modules', ReadOnly: true }),
        mount({ Source: '/run/xtables.lock', Target: '/run/xtables.lock' }),
        mount({ Source: '/run/netns', BindOptions: { Propagation: 'rshared' } }),
      ]),
    );
    expect(await shell('node1', 'stat -c %F /run/xtables.lock /run/netns')).toBe(
      'regular empty file\ndirectory\n',
    );
  });
});

describe.skipIf(!existsSync(GUIDES))('manifests from guides (skipped where ../shared is absent)', () => {
  const CONFIG = 'filebeat.inputs: []\n';
  let names: NameServer | undefined;

  /** For each image that the manifests name one that only stays; the exporter is the real one. */
  function standIns(): string {
    const texts = globSync('*.yaml', { cwd: GUIDES }).map((file) => readFileSync(join(GUIDES, file), 'utf8'));
    const images = new Set(
      texts.flatMap((text) => [...text.matchAll(/ image: (\S+)/g)].map(([, name]) => name ?? '')),
    );
    const stays = 'trap exit TERM; echo started with "$@"; while :; do sleep 1 & wait; done';
    const entrypoint = `ENTRYPOINT ${JSON.stringify(['sh', '-c', stays, 'stand-in'])}`;
    const source = (image: string) =>
      image.startsWith('prom/node-exporter:')
        ? 'prom/node-exporter:v1.5.0'
        : image === 'busybox'
          ? 'busybox:1.35'
          : 'stand-in';
    return [
      'id=$(docker create busybox:1.35)',
      `docker commit --change '${entrypoint}' $id stand-in`,
      'docker rm $id',
      ...[...images].map((image) => `docker tag ${source(image)} ${image}`),
    ].join(' && ');
  }

  beforeAll(async () => {
    await kubectl('label', 'node', 'node1', 'disktype=ssd');
    await kubectl('label', 'node', PLAIN, 'node-type=gpu', 'nodepool=workload');
    for (const namespace of ['logging', 'monitoring']) await kubectl('create', 'namespace', namespace);
    const gateway = (await shell(PLAIN, "ip route | awk '/^default/ { print $3 }'")).trim();
    names = await startNameServer(gateway);
    await everywhere(
      `${standIns()} &&
       cp /etc/hosts /run/hosts && echo 127.0.0.1 registry-1.docker.io >> /etc/hosts &&
       cp /etc/resolv.conf /run/resolv.conf && echo nameserver ${gateway} >> /etc/resolv.conf`,
    );
    await kubectl(
      'create',
      'configmap',
      'filebeat-config',
      '-n',
      'logging',
      `--from-literal=filebeat.yml=${CONFIG}`,
    );
    await kubectl('apply', '-f', GUIDES);
  });
  afterAll(async () => {
    await kubectl('delete', '--ignore-not-found', '-f', GUIDES);
    // Some of them are a `sleep`, which hears no SIGTERM.
    await kubectl('delete', 'pods', '--all', '--grace-period=1', '--wait=false');
    await kubectl('delete', 'namespace', 'logging', 'monitoring');
    await kubectl('label', 'nodes', '--all', 'disktype-', 'node-type-', 'nodepool-');
    await everywhere(
      'for file in hosts resolv.conf; do [ ! -f /run/$file ] || cat /run/$file > /etc/$file; done; rm -rf /var/lib/filebeat-data',
    );
    names?.close();
  });

  it.each<[string, string, string[]]>([
    ['example-daemonset', 'default', [PLAIN]],
    ['filebeat', 'logging', [PLAIN]],
    ['fluentd-elasticsearch', 'kube-system', ['node2', PLAIN]],
    ['gpu-monitor', 'default', [PLAIN]],
    ['log-collector', 'default', ['node1', PLAIN]],
    ['monitoring-agent', 'default', [PLAIN]],
    ['my-daemonset', 'default', ['node1']],
    ['node-exporter', 'monitoring', [PLAIN]],
  ])('%s of %s runs on %s', async (name, namespace, nodes) => {
    await readyOn(name, namespace, nodes);
  });

  it('node-exporter: its metrics can be scraped', async () => {
    await seesItsMachine(PLAIN);
  });

  it('filebeat: has its arguments, its one file, and what it keeps on the machine', async () => {
    const log = () => kubectl('logs', '-n', 'logging', 'ds/filebeat');
    await eventually('it has said something', async () => (await log()) !== '');
    expect(await log()).toBe('started with -c /etc/filebeat.yml -e\n');
    const seen =
      'cat /etc/filebeat.yml; stat -Lc %a /etc/filebeat.yml; ls -A /var/lib/docker/containers | wc -l';
    const [text, mode, containers] = await inPod(
      'filebeat',
      'logging',
      `touch /usr/share/filebeat/data/here; ${seen}`,
    );
    expect([`${text}\n`, mode]).toEqual([CONFIG, '600']);
    expect(Number(containers)).toBeGreaterThan(0);
    expect(await shell(PLAIN, 'ls /var/lib/filebeat-data')).toBe('here\n');
  });

  it('fluentd-elasticsearch: has its limit, and the logs of the machine', async () => {
    const { HostConfig } = await engineContainer('node2', 'fluentd-elasticsearch', 'fluentd-elasticsearch');
    expect(HostConfig).toMatchObject({ Memory: 200 * 2 ** 20, CpuShares: 102 });
    expect(await inPod('fluentd-elasticsearch', 'kube-system', 'ls /var/log')).toContain('dockerd.log');
  });

  it('hardened: waits until the service has a name, then runs as nobody in particular', async () => {
    const pods = () => kubectl('get', 'pods', '-l', 'app=hardened', '--no-headers');
    await eventually('both wait', async () => (await pods()).match(/Init:0\/1/g)?.length === 2);
    await eventually('it says what for', async () =>
      /waiting for myservice/.test(await kubectl('logs', 'ds/hardened', '-c', 'init-ds')),
    );
    names?.add('myservice');
    await readyOn('hardened', 'default', ['node2', PLAIN]);
    const rights =
      "id -u; id -G | grep -ow 2000; grep CapEff /proc/1/status | tr '\\t' ' '; touch /tmp/a 2>&1 || true";
    expect(await inPod('hardened', 'default', rights)).toEqual([
      '1000',
      '2000',
      'CapEff: 0000000000000000',
      'touch: /tmp/a: Read-only file system',
    ]);
  });

  it('calico-node: is made privileged with /lib/modules; the engines of this fleet cannot start such a one, and say so', async () => {
    await isRefusedAsPrivileged('calico-node', 'kube-system');
    const { HostConfig } = await engineContainer(PLAIN, 'calico-node', 'calico-node');
    expect(HostConfig).toMatchObject({ Privileged: true });
    expect(HostConfig.Mounts).toContainEqual(
      mount({ Source: '/lib/modules', Target: '/lib/modules', ReadOnly: true }),
    );
  });

  it('are unchanged when they are applied again', async () => {
    const generations = () =>
      kubectl('get', 'ds', '-A', '-o', 'custom-columns=:metadata.name,:metadata.generation', '--no-headers');
    const before = await generations();
    const { stdout } = await tryKubectl(['apply', '-f', GUIDES]);
    const others = stdout
      .trim()
      .split('\n')
      .filter((line) => !line.endsWith(' unchanged'));
    // One of its tolerations says `key: ""`. Kubernetes stores none, so kubectl asks for it every time.
    expect(others).toEqual(['daemonset.apps/my-daemonset configured']);
    expect(await generations()).toBe(before);
  });
});
