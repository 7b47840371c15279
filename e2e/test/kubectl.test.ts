// Real kubectl of several versions against the real plane and fleet: what people type, and what it prints.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { KUBECONFIG, NODES, tryKubectl } from '../src/fleet.ts';
import { triedVersions } from '../src/kubectl-versions.ts';
import { BUSYBOX } from '../src/manifests.ts';
import { begin, type Ran, type RunOptions } from '../src/run.ts';

describe.each(await triedVersions())('kubectl %s', (version) => {
  const namespace = `kubectl-${version.replace('.', '-')}`;
  const port = 8200 + Number(version.split('.')[1] ?? 0);
  let cache: string;

  const words = (args: readonly string[]) => [
    '--version',
    version,
    '--cache-dir',
    cache,
    '-n',
    namespace,
    ...args,
  ];
  const tryRun = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    tryKubectl(words(args), { ...options, env: { KUBECONFIG } });
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await tryRun(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  const manifest = (greeting: string): string =>
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'talker', namespace, labels: { part: 'test' } },
      spec: {
        selector: { matchLabels: { app: 'talker' } },
        updateStrategy: { rollingUpdate: { maxUnavailable: 3 } },
        template: {
          metadata: { labels: { app: 'talker' } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [
              {
                name: 'talker',
                image: BUSYBOX,
                command: ['sh', '-c', 'i=0; while true; do i=$((i+1)); echo "$GREETING $i"; sleep 0.2; done'],
                env: [{ name: 'GREETING', value: greeting }],
                ports: [{ containerPort: port }],
              },
            ],
          },
        },
      },
    });
  const apply = (greeting: string, ...flags: string[]) =>
    tryRun(['apply', '-f', '-', ...flags], { input: manifest(greeting) });
  const aPod = async () => (await kubectl('get', 'pods', '-o', 'jsonpath={.items[0].metadata.name}')).trim();

  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'kubectl-cache-'));
    await kubectl('create', 'namespace', namespace);
  });
  afterAll(async () => {
    await kubectl('delete', 'namespace', namespace, '--wait=true', '--timeout=180s');
    await rm(cache, { recursive: true });
  });

  it('apply creates, changes nothing, and changes; rollout status waits for it (rule 30)', async () => {
    expect((await apply('hello')).stdout).toBe('daemonset.apps/talker created\n');
    await kubectl('rollout', 'status', 'ds/talker', '--timeout=180s');
    expect((await apply('hello')).stdout).toBe('daemonset.apps/talker unchanged\n');
    expect((await apply('servus')).stdout).toBe('daemonset.apps/talker configured\n');
    expect(await kubectl('rollout', 'status', 'ds/talker', '--timeout=180s')).toContain(
      'successfully rolled out',
    );
    expect(await kubectl('get', 'ds', 'talker', '-o', 'jsonpath={.metadata.generation}')).toBe('2');
  });

  /** Of the DaemonSet, all that its status does not change. */
  const intent = async () => {
    const { metadata, spec } = JSON.parse(await kubectl('get', 'ds', 'talker', '-o', 'json')) as {
      metadata: { generation: number; labels: object; annotations: object };
      spec: { template: { spec: { containers: { env: { value: string }[] }[] } } };
    };
    const { generation, labels, annotations } = metadata;
    return { generation, labels, annotations, spec, env: spec.template.spec.containers[0]?.env[0]?.value };
  };

  it('apply --dry-run=server says what would be and changes nothing; diff shows it', async () => {
    const before = await intent();
    expect((await apply('other', '--dry-run=server')).stdout).toContain('configured (server dry run)');
    const diff = await tryRun(['diff', '-f', '-'], { input: manifest('other') });
    expect(diff.code).toBe(1);
    expect(diff.stdout).toMatch(/^-\s+value: servus$/m);
    expect(diff.stdout).toMatch(/^\+\s+value: other$/m);
    expect(before.env).toBe('servus');
    expect(await intent()).toEqual(before);
  });

  it('get prints in every form', async () => {
    expect(await kubectl('get', 'ds')).toMatch(
      /^NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE\ntalker +3 +3 +3 +3 +3 +<none> +\S+\n$/,
    );
    expect(await kubectl('get', 'ds', '-o', 'wide')).toMatch(
      /CONTAINERS +IMAGES +SELECTOR\n.*talker +fleetset-test\/busybox:1 +app=talker/,
    );
    expect(await kubectl('get', 'nodes', '-o', 'wide')).toMatch(/node1 +Ready +<none> .*docker:\/\//);
    expect(await kubectl('get', 'pods', '-o', 'wide')).toMatch(
      /talker-\w{5} +1\/1 +Running +0 +\S+ +[\d.]+ +node[123]/,
    );
    expect((await kubectl('get', 'pods', '-o', 'name')).trim().split('\n')).toHaveLength(NODES.length);
    expect(await kubectl('get', 'ds', 'talker', '-o', 'yaml')).toMatch(/^kind: DaemonSet$/m);
    expect(JSON.parse(await kubectl('get', 'ds,pods', '-o', 'json')).items).toHaveLength(1 + NODES.length);
    expect(
      await kubectl(
        'get',
        'pods',
        '-o',
        'custom-columns=N:.spec.nodeName',
        '--sort-by=.spec.nodeName',
        '--no-headers',
      ),
    ).toBe('node1\nnode2\nnode3\n');
    expect(await kubectl('get', 'pods', '-o', 'go-template={{len .items}}')).toBe('3');
    expect(await kubectl('get', 'all')).toContain('daemonset.apps/talker');
    expect(
      await kubectl(
        'get',
        'pods',
        '-A',
        '--field-selector',
        'spec.nodeName=node2',
        '-l',
        'app=talker',
        '--show-labels',
      ),
    ).toContain(`${namespace}   talker-`);
    expect(await kubectl('get', 'nodes', '-L', 'kubernetes.io/arch')).toMatch(/ARCH/);
  });

  it('get -w shows what changes', async () => {
    const old = await aPod();
    const watching = begin('hack/kubectl', words(['get', 'pods', '-w', '--no-headers']), {
      env: { KUBECONFIG },
    });
    await eventually('it has begun', () => watching.said().includes(old));
    await kubectl('delete', 'pod', old);
    await eventually('three pods again', async () => {
      const names = await kubectl('get', 'pods', '--no-headers');
      return !names.includes(old) && (names.match(/1\/1 +Running/g) ?? []).length === NODES.length;
    });
    const told = new RegExp(`${old} +1/1 +Terminating`);
    await eventually('the old one is told to end', () => told.test(watching.said()));
    const comes = new RegExp(`(?!${old})talker-\\w{5} +0/1 +(Pending|ContainerCreating|Running)`);
    await eventually('the new one is told to come', () => comes.test(watching.said()));
    await watching.stop();
  });

  it('describe tells of sets, pods and nodes, events included', async () => {
    const set = await kubectl('describe', 'ds', 'talker');
    expect(set).toMatch(/Desired Number of Nodes Scheduled: 3/);
    expect(set).toMatch(/Pods Status: +3 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed/);
    expect(set).toMatch(/SuccessfulCreate/);
    const pod = await kubectl('describe', 'pod', await aPod());
    expect(pod).toMatch(/Controlled By: +DaemonSet\/talker/);
    expect(pod).toMatch(
      /Normal +Scheduled .*default-scheduler +Successfully assigned kubectl-[\d-]+\/talker-\w{5} to node\d/,
    );
    expect(pod).toMatch(/Normal +Pulled .*Container image ".*" already present on machine/);
    expect(pod).toMatch(/Normal +Created .*Created container: talker/);
    expect(pod).toMatch(/Normal +Started .*Started container talker/);
    const node = await kubectl('describe', 'node', 'node1');
    expect(node).toMatch(/Ready +True .*AgentReady/);
    expect(node).toMatch(/talker-\w{5}/);
  });

  it('logs, with follow, tail, timestamps, by set and by selector', async () => {
    const pod = await aPod();
    expect(await kubectl('logs', pod, '--tail=2')).toMatch(/^servus \d+\nservus \d+\n$/);
    expect(await kubectl('logs', pod, '--tail=1', '--timestamps')).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z servus \d+\n$/,
    );
    expect(await kubectl('logs', 'ds/talker', '--tail=1')).toMatch(/^servus \d+\n$/);
    expect(
      (await kubectl('logs', '-l', 'app=talker', '--tail=1', '--prefix')).match(/\[pod\/talker-/g),
    ).toHaveLength(3);
    const following = begin('hack/kubectl', words(['logs', '-f', pod, '--tail=1']), { env: { KUBECONFIG } });
    await eventually('four lines', () => (following.said().match(/servus \d+\n/g) ?? []).length > 3);
    await following.stop();
    const stdout = following.said();
    const numbers = [...stdout.matchAll(/servus (\d+)/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    expect((await tryRun(['logs', pod, '--previous'])).stderr).toContain(
      `previous terminated container "talker" in pod "${pod}" not found`,
    );
    expect((await tryRun(['logs', pod, '-c', 'nope'])).stderr).toContain(
      'container nope is not valid for pod',
    );
  });

  it('top shows what nodes, pods and containers use', async () => {
    const nodes = (await kubectl('top', 'nodes', '--no-headers')).trim().split('\n');
    expect(nodes).toHaveLength(NODES.length);
    for (const line of nodes) expect(line).toMatch(/^\S+ +\d+m +\d+% +\d+Mi +\d+% *$/);
    const pods = (await kubectl('top', 'pods', '--no-headers')).trim().split('\n');
    expect(pods).toHaveLength(NODES.length);
    for (const line of pods) expect(line).toMatch(/^talker-\S+ +\d+m +\d+Mi *$/);
    expect(await kubectl('top', 'pods', '--containers', '-l', 'app=talker')).toMatch(
      /^talker-\S+ +\S+ +\d+m/m,
    );
    expect(await kubectl('top', 'node', NODES[0] ?? '')).toContain(NODES[0]);
  });

  it('label and annotate, and refuse what is the node’s own', async () => {
    expect(await kubectl('label', 'ds', 'talker', 'tier=one')).toContain('labeled');
    expect(await kubectl('label', 'ds', 'talker', 'tier=one')).toContain('not labeled');
    expect(await kubectl('annotate', 'ds', 'talker', 'note=seen')).toMatch(/annotated?/);
    expect(await kubectl('get', 'ds', '-l', 'tier in (one,two),!none', '-o', 'name')).toBe(
      'daemonset.apps/talker\n',
    );
    const refused = await tryRun(['label', 'node', 'node1', 'kubernetes.io/os=plan9', '--overwrite']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("is set in the node's own configuration");
  });

  it('taint, cordon and uncordon', async () => {
    expect(await kubectl('taint', 'node', 'node1', 'probe=1:PreferNoSchedule')).toContain('tainted');
    expect(await kubectl('describe', 'node', 'node1')).toMatch(/Taints: +probe=1:PreferNoSchedule/);
    expect(await kubectl('taint', 'node', 'node1', 'probe-')).toContain('untainted');
    expect(await kubectl('cordon', 'node1')).toContain('cordoned');
    expect(await kubectl('get', 'node', 'node1')).toContain('Ready,SchedulingDisabled');
    expect(await kubectl('uncordon', 'node1')).toContain('uncordoned');
    expect(await kubectl('get', 'node', 'node1', '-o', 'jsonpath={.spec.taints}')).toBe('');
  });

  it('patch in three forms, edit by script, set and rollout history', async () => {
    const env =
      '{"spec":{"template":{"spec":{"containers":[{"name":"talker","env":[{"name":"EXTRA","value":"1"}]}]}}}}';
    expect(await kubectl('patch', 'ds', 'talker', '-p', env)).toContain('patched');
    // kubectl compares all of the object, its status too, which moves until the rollout is over.
    await kubectl('rollout', 'status', 'ds/talker', '--timeout=180s');
    await eventually('it says that nothing changes', async () =>
      (await kubectl('patch', 'ds', 'talker', '-p', env)).includes('(no change)'),
    );
    expect(
      await kubectl('patch', 'ds', 'talker', '--type=merge', '-p', '{"spec":{"minReadySeconds":0}}'),
    ).toContain('patched');
    const remove = '[{"op":"remove","path":"/spec/template/spec/containers/0/env/1"}]';
    expect(await kubectl('patch', 'ds', 'talker', '--type=json', '-p', remove)).toContain('patched');
    await kubectl('set', 'env', 'ds/talker', 'GREETING=hallo');
    await kubectl('rollout', 'status', 'ds/talker', '--timeout=180s');
    await eventually('the new greeting is said', async () =>
      (await kubectl('logs', 'ds/talker', '--tail=1')).startsWith('hallo'),
    );
    expect((await kubectl('rollout', 'history', 'ds/talker')).trim().split('\n').length).toBeGreaterThan(3);
  });

  it('bad input names the field, and changes nothing', async () => {
    const wrong = manifest('hello')
      .replace('"image":"fleetset-test/busybox:1",', '')
      .replace('"name":"talker","command"', '"name":"Talker","command"');
    const invalid = await tryRun(['apply', '-f', '-'], { input: wrong });
    expect(invalid.code).toBe(1);
    expect(invalid.stderr).toMatch(/\* spec\.template\.spec\.containers\[0\]\.image: Required value/);
    expect(invalid.stderr).toMatch(/\* spec\.template\.spec\.containers\[0\]\.name: Invalid value: "Talker"/);
    const unknown = await tryRun(['apply', '-f', '-'], {
      input: manifest('hello').replace('"env"', '"envs"'),
    });
    expect(unknown.stderr).toContain('unknown field "spec.template.spec.containers[0].envs"');
    const type = await tryRun(['apply', '-f', '-'], {
      input: manifest('hello').replace('"maxUnavailable":3', '"maxUnavailable":[3]'),
    });
    expect(type.code).toBe(1);
    expect(type.stderr).toContain(
      'spec.updateStrategy.rollingUpdate.maxUnavailable: expected an integer or a string, got a list',
    );
    const later = await tryRun(['apply', '-f', '-'], {
      input: manifest('hello').replace('"containers"', '"runtimeClassName":"gvisor","containers"'),
    });
    expect(later.stderr).toContain(
      'spec.template.spec.runtimeClassName: Forbidden: not supported by fleetset',
    );
    const large = await tryRun(['create', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'large', namespace },
        data: { a: 'x'.repeat(5_000_000) },
      }),
    });
    expect(large.code).toBe(1);
    expect(large.stderr).toMatch(/RequestEntityTooLarge|limit is 3145728/);
    expect((await tryRun(['get', 'ds', 'nope'])).stderr).toContain(
      'Error from server (NotFound): daemonsets.apps "nope" not found',
    );
    expect(await kubectl('get', 'ds', '-o', 'name')).toBe('daemonset.apps/talker\n');
  });

  it('delete takes the pods along', async () => {
    expect(await kubectl('delete', 'ds', 'talker')).toContain('daemonset.apps "talker" deleted');
    await eventually('no pods', async () => (await kubectl('get', 'pods', '-o', 'name')) === '');
    expect((await tryRun(['delete', 'ds', 'talker', '--ignore-not-found'])).code).toBe(0);
  });
});
