// Who may do what, with real kubectl of several versions: accounts, roles, tokens, can-i, whoami, --as.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { triedVersions } from '../src/kubectl-versions.ts';
import { type LonePlane, startLonePlane } from '../src/lone-plane.ts';
import { type Ran, tryRun } from '../src/run.ts';

let folder: string;
let plane: LonePlane;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-authz-'));
  const tokens = join(folder, 'tokens.csv');
  await writeFile(tokens, 'robot-token,robot,r-1,"dev,ops"\n');
  plane = await startLonePlane(['--token-auth-file', tokens]);
});
afterAll(async () => {
  await plane?.remove();
  await rm(folder, { recursive: true, force: true });
});

describe.each(await triedVersions())('kubectl %s', (version) => {
  const namespace = `authz-${version.replace('.', '-')}`;
  const bot = `system:serviceaccount:${namespace}:bot`;
  const tryKubectl = (args: readonly string[], kubeconfig = plane.kubeconfig, input = ''): Promise<Ran> => {
    const cache = join(folder, `cache-${version}`);
    const words = ['--version', version, '--cache-dir', cache, '-n', namespace, ...args];
    return tryRun('hack/kubectl', words, { env: { KUBECONFIG: kubeconfig }, input });
  };
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await tryKubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  let count = 0;
  /** A kubeconfig with this token in place of the administrator's certificate. */
  const withToken = async (token: string): Promise<string> => {
    count += 1;
    const path = join(folder, `${version}-${count}`);
    const text = await readFile(plane.kubeconfig, 'utf8');
    await writeFile(
      path,
      text.replace(/ {4}client-certificate-data: .*\n {4}client-key-data: .*/, `    token: ${token}`),
    );
    return path;
  };
  let asBot: string;

  beforeAll(async () => {
    await kubectl('create', 'namespace', namespace);
    await kubectl('create', 'serviceaccount', 'bot');
    await kubectl('create', 'role', 'reader', '--verb=get,list,watch', '--resource=pods,configmaps,pods/log');
    await kubectl('create', 'rolebinding', 'reader', '--role=reader', `--serviceaccount=${namespace}:bot`);
    await kubectl('create', 'configmap', 'settings', '--from-literal=a=b');
    asBot = await withToken((await kubectl('create', 'token', 'bot', '--duration', '20m')).trim());
  });
  afterAll(async () => {
    await kubectl('delete', 'namespace', namespace);
  });

  it('prints roles, bindings and accounts in Kubernetes’ columns', async () => {
    expect(await kubectl('get', 'roles')).toMatch(/^NAME +CREATED AT\nreader +\d{4}-\d\d-\d\dT[\d:]+Z\n$/);
    expect(await kubectl('get', 'rolebindings', '-o', 'wide')).toMatch(
      new RegExp(
        `^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\\nreader +Role/reader +\\S+ +${namespace}/bot\\n$`,
      ),
    );
    expect(await kubectl('get', 'sa')).toMatch(/^NAME +AGE\nbot +\S+\ndefault +\S+\n$/);
    expect(await kubectl('get', 'clusterrolebinding', 'cluster-admin', '-o', 'wide')).toMatch(
      /cluster-admin +ClusterRole\/cluster-admin +\S+ +system:masters/,
    );
    expect(await kubectl('describe', 'role', 'reader')).toMatch(/configmaps +\[\] +\[\] +\[get list watch\]/);
    expect(await kubectl('describe', 'clusterrole', 'view')).toMatch(
      /daemonsets\.apps +.*\[get list watch\]/,
    );
    expect(await kubectl('describe', 'rolebinding', 'reader')).toMatch(
      new RegExp(`ServiceAccount +bot +${namespace}`),
    );
    expect(await kubectl('describe', 'sa', 'bot')).toMatch(/^Name: +bot$/m);
  });

  it('with a token of an account does what it was given', async () => {
    expect((await tryKubectl(['get', 'cm', 'settings', '-o', 'jsonpath={.data.a}'], asBot)).stdout).toBe('b');
    expect((await tryKubectl(['get', 'pods'], asBot)).code).toBe(0);
    expect((await tryKubectl(['api-resources', '--no-headers'], asBot)).stdout).toMatch(/^daemonsets /m);
  });

  it.each([
    [
      ['get', 'secrets'],
      'secrets is forbidden: User "BOT" cannot list resource "secrets" in API group "" in the namespace "NS"',
    ],
    [
      ['get', 'nodes'],
      'nodes is forbidden: User "BOT" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    [
      ['get', 'cm', '-A'],
      'configmaps is forbidden: User "BOT" cannot list resource "configmaps" in API group "" at the cluster scope',
    ],
    [
      ['delete', 'cm', 'settings'],
      'configmaps "settings" is forbidden: User "BOT" cannot delete resource "configmaps" in API group "" in the namespace "NS"',
    ],
    [['get', '--raw', '/metrics'], 'forbidden: User "BOT" cannot get path "/metrics"'],
    [
      ['get', 'pods', '--as', 'jane'],
      'users "jane" is forbidden: User "BOT" cannot impersonate resource "users" in API group "" at the cluster scope',
    ],
  ] as const)('and not what it was not: %j', async (args, message) => {
    const { code, stderr } = await tryKubectl(args, asBot);
    const said = message.replace('BOT', bot).replace('NS', namespace);
    expect(stderr).toContain(`Error from server (Forbidden): ${said}`);
    expect(code).toBe(1);
  });

  it('auth can-i answers with a word and an exit code, and --list with all', async () => {
    const canI = async (...args: string[]) => {
      const { code, stdout } = await tryKubectl(['auth', 'can-i', ...args], asBot);
      return [stdout.trim().split('\n').at(-1), code];
    };
    expect(await canI('list', 'pods')).toEqual(['yes', 0]);
    expect(await canI('get', 'pods', '--subresource=log')).toEqual(['yes', 0]);
    expect(await canI('delete', 'pods')).toEqual(['no', 1]);
    expect(await canI('list', 'pods', '-A')).toEqual(['no', 1]);
    expect(await canI('get', '/version')).toEqual(['yes', 0]);
    const { stdout } = await tryKubectl(['auth', 'can-i', '--list'], asBot);
    expect(stdout).toMatch(/^configmaps +\[\] +\[\] +\[get list watch\]$/m);
    expect(await kubectl('auth', 'can-i', '*', '*')).toBe('yes\n');
    expect(await kubectl('auth', 'can-i', 'get', 'cm', '--as', bot)).toBe('yes\n');
  });

  it('auth whoami tells who one is, also acting as somebody', async () => {
    const whoIs = async (kubeconfig: string, ...args: string[]) =>
      (await tryKubectl(['auth', 'whoami', ...args], kubeconfig)).stdout.replaceAll(/ {2,}/g, ' ');
    expect(await whoIs(plane.kubeconfig)).toMatch(
      /Username fleetset-admin\nGroups \[system:masters system:authenticated\]/,
    );
    expect(await whoIs(asBot)).toContain(
      `Groups [system:serviceaccounts system:serviceaccounts:${namespace} system:authenticated]`,
    );
    expect(await whoIs(plane.kubeconfig, '--as', 'jane', '--as-group', 'dev')).toMatch(
      /Username jane\nGroups \[dev system:authenticated\]/,
    );
    expect(await whoIs(await withToken('robot-token'))).toMatch(/Username robot\nUID r-1\nGroups \[dev ops /);
  });

  it('--as does what the other may, and no more', async () => {
    const asJane = await tryKubectl(['get', 'cm', '--as', 'jane']);
    expect(asJane.stderr).toContain('User "jane" cannot list resource "configmaps"');
    await kubectl('create', 'rolebinding', 'jane', '--clusterrole=view', '--user=jane');
    expect(await kubectl('get', 'cm', 'settings', '--as', 'jane', '-o', 'name')).toBe('configmap/settings\n');
    expect((await tryKubectl(['get', 'secrets', '--as', 'jane'])).stderr).toContain(
      'cannot list resource "secrets"',
    );
  });

  it('hands out no more than one has', async () => {
    await kubectl('create', 'rolebinding', 'boss', '--clusterrole=admin', '--user=boss');
    const bind = (role: string) =>
      tryKubectl([
        'create',
        'rolebinding',
        `by-boss-${role}`,
        `--clusterrole=${role}`,
        '--user=x',
        '--as=boss',
      ]);
    expect((await bind('edit')).code).toBe(0);
    expect((await bind('cluster-admin')).stderr).toContain(
      'user "boss" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held',
    );
  });

  it('apply makes them, again changes nothing, and says what is wrong', async () => {
    const manifest = (verbs: string[]) =>
      JSON.stringify({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'applied', namespace },
        rules: [{ apiGroups: ['apps'], resources: ['daemonsets'], verbs }],
      });
    const apply = (verbs: string[]) => tryKubectl(['apply', '-f', '-'], plane.kubeconfig, manifest(verbs));
    const named = 'role.rbac.authorization.k8s.io/applied';
    expect((await apply(['get'])).stdout).toBe(`${named} created\n`);
    expect((await apply(['get'])).stdout).toBe(`${named} unchanged\n`);
    expect((await apply(['get', 'list'])).stdout).toBe(`${named} configured\n`);
    expect((await apply([])).stderr).toContain(
      'rules[0].verbs: Required value: verbs must contain at least one value',
    );
  });

  it('a token that is not good is answered with 401', async () => {
    const { code, stderr } = await tryKubectl(['get', 'pods'], await withToken('not-a-token'));
    expect(stderr).toMatch(/You must be logged in to the server/);
    expect(code).toBe(1);
  });
});
