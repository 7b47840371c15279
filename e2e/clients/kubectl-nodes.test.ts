// What kubectl shows of nodes whose agents are heard, of Secrets for accounts, of signing keys and of health.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HollowMember, joinMember } from '../../plane/test/support/hollow-member.ts';
import { facts, nodeStatus } from '../../plane/test/support/reports.ts';
import { startTestPlane, type TestPlane } from '../../plane/test/support/test-plane.ts';
import { eventually } from '../src/eventually.ts';
import { triedVersions } from '../src/kubectl-versions.ts';
import { type Ran, run, tryRun } from '../src/run.ts';

let folder: string;
let plane: TestPlane;
let kubeconfig: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-nodes-'));
  kubeconfig = join(folder, 'kubeconfig');
  plane = await startTestPlane();
  await writeFile(kubeconfig, await run('hack/fleetset', ['kubeconfig', '--data-dir', plane.dataDir]));
});
afterAll(async () => {
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each(await triedVersions())('kubectl %s', (version) => {
  const node = `node-${version.replace('.', '-')}`;
  let member: HollowMember;
  const tryKubectl = (args: readonly string[], input = ''): Promise<Ran> =>
    tryRun('hack/kubectl', ['--version', version, '--cache-dir', join(folder, version), ...args], {
      env: { KUBECONFIG: kubeconfig },
      input,
    });
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await tryKubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  beforeAll(async () => {
    member = await joinMember(plane, node);
    member.report();
    await eventually('it is ready', async () => /\bReady\b/.test(await kubectl('get', 'node', node)));
  });
  afterAll(() => member.leave());

  it('shows the Lease of each node, and its block in describe', async () => {
    expect(await kubectl('get', 'leases', '-n', 'kube-node-lease')).toMatch(
      new RegExp(`^NAME +HOLDER +AGE\\n(.*\\n)*${node} +${node} +\\S+\\n`),
    );
    const renewed = await kubectl(
      'get',
      'lease',
      '-n',
      'kube-node-lease',
      node,
      '-o',
      'jsonpath={.spec.renewTime}',
    );
    expect(renewed).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(await kubectl('describe', 'node', node)).toMatch(
      new RegExp(
        `\\nLease:\\n +HolderIdentity: +${node}\\n +AcquireTime: +<unset>\\n +RenewTime: +\\w{3}, \\d\\d`,
      ),
    );
  });

  it('renews it with each heartbeat', async () => {
    const renewTime = () =>
      kubectl('get', 'lease', '-n', 'kube-node-lease', node, '-o', 'jsonpath={.spec.renewTime}');
    const before = await renewTime();
    await eventually('it is renewed', async () => {
      member.report();
      return (await renewTime()) > before;
    });
  });

  it('keeps an extended resource that is written into the status of a node', async () => {
    // The subresource came to kubectl with 1.24.
    if (Number(version.split('.')[1]) < 24) return;
    const change = JSON.stringify({ status: { capacity: { 'example.com/dongle': '3' } } });
    await kubectl('patch', 'node', node, '--subresource=status', '--type=merge', '-p', change);
    const status = nodeStatus({ capacity: { cpu: '6', memory: '4Gi', pods: '110' } });
    member.report({ facts: facts(node, { status }) });
    const cpu = () => kubectl('get', 'node', node, '-o', 'jsonpath={.status.capacity.cpu}');
    await eventually('what the agent says is shown', async () => (await cpu()) === '6');
    expect(await kubectl('describe', 'node', node)).toMatch(/Capacity:\n(.*\n)* +example\.com\/dongle: +3\n/);
  });

  it('fills the Secret of an account, and takes the one of none away', async () => {
    const secret = (name: string, account: string) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, annotations: { 'kubernetes.io/service-account.name': account } },
        type: 'kubernetes.io/service-account-token',
      });
    const name = `token-${node}`;
    await tryKubectl(['apply', '-f', '-'], secret(name, 'default'));
    const token = await eventually(
      'it is filled',
      async () => (await kubectl('get', 'secret', name, '-o', 'jsonpath={.data.token}')) || undefined,
    );
    const plain = Buffer.from(token, 'base64').toString();
    const asBot = [
      '--server',
      `https://127.0.0.1:${plane.apiPort}`,
      '--insecure-skip-tls-verify',
      '--token',
      plain,
    ];
    const can = await tryRun(
      'hack/kubectl',
      ['--version', version, ...asBot, 'auth', 'can-i', 'get', '/api'],
      {
        env: { KUBECONFIG: '/dev/null' },
      },
    );
    expect(can.stdout.trim()).toBe('yes');
    expect(await kubectl('describe', 'secret', name)).toMatch(
      /Type: +kubernetes\.io\/service-account-token\n(.*\n)*ca\.crt: +\d+ bytes/,
    );
    const { stderr } = await tryKubectl(['apply', '-f', '-'], secret(`none-${node}`, 'nobody'));
    expect(stderr).toContain('Warning: serviceaccounts "nobody" not found');
    await eventually(
      'it is gone',
      async () => (await tryKubectl(['get', 'secret', `none-${node}`])).code !== 0,
    );
  });

  it('is told how the plane is', async () => {
    expect(await kubectl('get', '--raw', '/livez?verbose')).toBe('[+]ping ok\nlivez check passed\n');
    expect(await kubectl('get', '--raw', '/readyz?verbose&exclude=store')).toMatch(
      /^\[\+\]ping ok\n\[\+\]store excluded: ok\n(\[\+\]\w+ ok\n)+readyz check passed\n$/,
    );
  });

  it('goes on with its tokens while another key signs', async () => {
    const tokenOf = async () => (await kubectl('create', 'token', 'default')).trim();
    const keys = async (): Promise<string[]> =>
      JSON.parse(await kubectl('get', '--raw', '/openid/v1/jwks')).keys.map(
        ({ kid }: { kid: string }) => kid,
      );
    const old = await tokenOf();
    const before = await keys();
    const signingKey = async (...words: string[]) =>
      (await run('hack/fleetset', ['signing-key', ...words, '--data-dir', plane.dataDir])).trim();
    const added = await signingKey('add');
    await eventually('both are published', async () => (await keys()).length === before.length + 1);
    expect(await keys()).toEqual([added, ...before]);
    const listed = await signingKey('list');
    expect(
      listed
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/)[0])
        .sort(),
    ).toEqual([added, ...before].sort());
    const isGood = async (token: string) =>
      (await plane.api.ok('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token } })).status
        .authenticated === true;
    expect([await isGood(old), await isGood(await tokenOf())]).toEqual([true, true]);
    expect(await signingKey('prune', '--older-than', '1h')).toBe('');
    await signingKey('prune', '--older-than', '0');
    await eventually('the old one is void', async () => !(await isGood(old)));
    expect(await keys()).toEqual([added]);
  });

  it('takes the Lease along with the node', async () => {
    await kubectl('delete', 'node', node);
    const { stderr } = await tryKubectl(['get', 'lease', '-n', 'kube-node-lease', node]);
    expect(stderr).toContain(`leases.coordination.k8s.io "${node}" not found`);
  });
});
