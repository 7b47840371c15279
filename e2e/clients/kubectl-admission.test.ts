// What an administrator sees through real kubectl: who is warned by Pod Security Standards, what the audit log keeps, and
// a watch that ends when the plane stops.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { triedVersions } from '../src/kubectl-versions.ts';
import { type LonePlane, startLonePlane } from '../src/lone-plane.ts';
import type { Ran } from '../src/run.ts';

let folder: string;
let plane: LonePlane;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-admission-'));
  plane = await startLonePlane(['--audit-log-path', join(folder, 'audit.log')]);
});
afterAll(async () => {
  await plane.remove();
  await rm(folder, { recursive: true });
});

const HOST = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: host }
spec:
  selector: { matchLabels: { app: host } }
  template:
    metadata: { labels: { app: host } }
    spec:
      hostNetwork: true
      containers: [{ name: main, image: example/host:1 }]
`;

const versions = await triedVersions();

describe.each(versions)('kubectl %s', (version) => {
  const namespace = `secured-${version.replace('.', '-')}`;
  let cache: string;
  const kubectl = (...args: string[]): Promise<Ran> =>
    plane.tryKubectl(['--version', version, '--cache-dir', cache, ...args], { input: HOST });
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'kubectl-cache-'));
    await kubectl('create', 'namespace', namespace);
  });
  afterAll(() => rm(cache, { recursive: true }));

  it('prints the warning of the standard that a namespace asks for', async () => {
    const label = ['label', 'namespace', namespace, '--overwrite'];
    expect((await kubectl(...label, 'pod-security.kubernetes.io/enforce=baseline')).code).toBe(0);
    const wrong = await kubectl(...label, 'pod-security.kubernetes.io/enforce=strict');
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('must be one of privileged, baseline, restricted'),
    ]);
    const applied = await kubectl('-n', namespace, 'apply', '-f', '-');
    expect([applied.code, applied.stdout]).toEqual([0, 'daemonset.apps/host created\n']);
    // A kubectl that has to wait says so, too.
    expect(applied.stderr.split('\n').filter((line) => line.startsWith('Warning:'))).toEqual([
      'Warning: would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
    ]);
  });

  it('is in the audit log with its name, who it acts for, and why that was refused', async () => {
    const refused = await kubectl('-n', namespace, 'delete', 'ds', 'host', '--as', 'jane');
    expect(refused.stderr).toContain('User "jane" cannot');
    // Nobody who is answered waits for the log.
    const event = await eventually('it is in the log', async () => {
      const lines = (await readFile(join(folder, 'audit.log'), 'utf8')).split('\n').slice(0, -1);
      return lines
        .map((line) => JSON.parse(line))
        .find(({ impersonatedUser, objectRef }) => impersonatedUser && objectRef?.namespace === namespace);
    });
    expect(event).toMatchObject({
      user: { username: 'fleetset-admin' },
      impersonatedUser: { username: 'jane' },
      userAgent: expect.stringContaining(`/v${version}.`),
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
  });
});

it('a watch of kubectl ends well when the plane stops', async () => {
  const watching = plane.tryKubectl(['get', 'namespaces', '--watch', '--output-watch-events']);
  await eventually('it watches', async () =>
    (await readFile(join(folder, 'audit.log'), 'utf8')).includes('"stage":"ResponseStarted"'),
  );
  await plane.stop();
  const { code, stdout } = await watching;
  expect([code, stdout]).toEqual([0, expect.stringContaining('kube-system')]);
  await plane.start();
});
