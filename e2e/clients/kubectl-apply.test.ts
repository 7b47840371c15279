// Manifests of several documents, as people publish them, through the kubectls that are tried: apply, diff, apply again,
// server-side apply and the way to it, delete.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { triedVersions } from '../src/kubectl-versions.ts';
import { type LonePlane, startLonePlane } from '../src/lone-plane.ts';
import type { Ran } from '../src/run.ts';

let plane: LonePlane;
beforeAll(async () => {
  plane = await startLonePlane();
});
afterAll(() => plane.remove());

/** In the shape of a node exporter's: everything it needs in one file. */
const manifest = (namespace: string, image: string): string => `
apiVersion: v1
kind: ConfigMap
metadata:
  name: exporter
  namespace: ${namespace}
  labels: &labels
    app.kubernetes.io/name: exporter
    app.kubernetes.io/part-of: monitoring
data:
  web.yml: |
    tls_server_config: {}
---
apiVersion: v1
kind: Secret
metadata:
  name: exporter
  namespace: ${namespace}
type: Opaque
data:
  password: bm90IGEgc2VjcmV0
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: exporter
  namespace: ${namespace}
  labels:
    app.kubernetes.io/name: exporter
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: exporter
  updateStrategy:
    rollingUpdate:
      maxUnavailable: 10%
  template:
    metadata:
      labels:
        app.kubernetes.io/name: exporter
    spec:
      hostNetwork: true
      hostPID: true
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
      tolerations:
      - operator: Exists
      containers:
      - name: exporter
        image: ${image}
        args: ["--path.rootfs=/host/root", "--web.listen-address=:9100"]
        env:
        - name: NODE
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        ports:
        - name: metrics
          containerPort: 9100
          hostPort: 9100
        readinessProbe:
          httpGet: { path: /, port: metrics }
        resources:
          limits: { cpu: 250m, memory: 180Mi }
          requests: { cpu: 102m, memory: 180Mi }
        volumeMounts:
        - name: root
          mountPath: /host/root
          mountPropagation: HostToContainer
          readOnly: true
        - name: config
          mountPath: /etc/exporter
      volumes:
      - name: root
        hostPath: { path: / }
      - name: config
        configMap: { name: exporter }
---
apiVersion: v1
kind: Service
metadata:
  name: exporter
  namespace: ${namespace}
  annotations:
    prometheus.io/scrape: "true"
spec:
  clusterIP: None
  selector:
    app.kubernetes.io/name: exporter
  ports:
  - name: metrics
    port: 9100
    targetPort: metrics
`;

describe.each(await triedVersions())('kubectl %s', (version) => {
  const namespace = `apply-${version.replace('.', '-')}`;
  const names = ['configmap', 'secret', 'daemonset.apps', 'service'].map((kind) => `${kind}/exporter`);
  const all = (done: string): string => names.map((name) => `${name} ${done}\n`).join('');
  let cache: string;
  const kubectl = (args: readonly string[], image = 'example/exporter:1'): Promise<Ran> =>
    plane.tryKubectl(['--version', version, '--cache-dir', cache, ...args], {
      input: manifest(namespace, image),
    });
  const stdout = async (args: readonly string[], image?: string): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args, image);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'kubectl-cache-'));
    await stdout(['create', 'namespace', namespace]);
  });
  afterAll(async () => {
    await stdout(['delete', 'namespace', namespace, '--timeout=5m']);
    await rm(cache, { recursive: true });
  });

  it('applies it, says what is only stored, and the next time nothing changes', async () => {
    const first = await kubectl(['apply', '-f', '-']);
    expect([first.code, first.stdout]).toEqual([0, all('created')]);
    expect(first.stderr).toContain('Warning: Service gets no address, and no traffic is routed by it');
    expect(await stdout(['apply', '-f', '-'])).toBe(all('unchanged'));
    expect((await kubectl(['diff', '-f', '-'])).code).toBe(0);
  });

  it('shows the difference of a change, and makes it', async () => {
    const diff = await kubectl(['diff', '-f', '-'], 'example/exporter:2');
    expect(diff.code).toBe(1);
    const changed = diff.stdout.split('\n').filter((line) => /^[-+] .*image:/.test(line));
    expect(changed.map((line) => line.replaceAll(' ', ''))).toEqual([
      '-image:example/exporter:1',
      '+image:example/exporter:2',
    ]);
    expect(await stdout(['apply', '-f', '-'], 'example/exporter:2')).toContain(
      'daemonset.apps/exporter configured\n',
    );
  });

  it('goes over to server-side apply, and owns what it applied', async () => {
    expect(await stdout(['apply', '--server-side', '-f', '-'], 'example/exporter:3')).toBe(
      all('serverside-applied'),
    );
    const { stdout: shown } = await kubectl([
      '-n',
      namespace,
      'get',
      'ds',
      'exporter',
      '-o',
      'json',
      '--show-managed-fields',
    ]);
    const managers = JSON.parse(shown).metadata.managedFields.map(
      ({ manager, operation }: { manager: string; operation: string }) => `${manager} ${operation}`,
    );
    expect(managers.sort()).toEqual(['kubectl Apply', 'kubectl-last-applied Apply']);
    const hidden = await stdout(['-n', namespace, 'get', 'ds', 'exporter', '-o', 'yaml']);
    expect(hidden).not.toContain('managedFields');
    expect((await kubectl(['diff', '--server-side', '-f', '-'], 'example/exporter:3')).code).toBe(0);
    expect((await kubectl(['diff', '--server-side', '-f', '-'], 'example/exporter:4')).code).toBe(1);
  });

  it('is refused what somebody else set, until it insists', async () => {
    await stdout(['-n', namespace, 'set', 'image', 'ds/exporter', 'exporter=example/exporter:5']);
    const refused = await kubectl(['apply', '--server-side', '-f', '-'], 'example/exporter:6');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'Apply failed with 1 conflict: conflict with "kubectl-set" using apps/v1: .spec.template.spec.containers[name="exporter"].image',
    );
    expect(
      await stdout(['apply', '--server-side', '--force-conflicts', '-f', '-'], 'example/exporter:6'),
    ).toBe(all('serverside-applied'));
  });

  it('deletes all of it', async () => {
    const deleted = await stdout(['delete', '-f', '-', '--timeout=5m']);
    expect(deleted.match(/"exporter" deleted/g)).toHaveLength(names.length);
    expect((await kubectl(['get', '-f', '-'])).stderr.match(/\(NotFound\)/g)).toHaveLength(names.length);
  });
});
