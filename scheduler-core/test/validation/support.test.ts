// Proves that nothing a manifest says is dropped in silence: every field of a pod that the API knows is done by the
// agent, refused, warned about, or listed here with the reason why it needs no word.
import { container } from '@fleetset/scheduler-core/schema/container';
import { podSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ObjectSchema } from '@fleetset/scheduler-core/schema/schema';
import { volume } from '@fleetset/scheduler-core/schema/volume';
import { findUnsupported } from '@fleetset/scheduler-core/validation/support';
import { describe, expect, test } from 'vitest';
import { type Edit, edited, fullPath, MINIMAL, readDaemonSet } from '../manifest.ts';

const found = (...edits: Edit[]) => findUnsupported(readDaemonSet(edited(MINIMAL, edits)));

test('the least manifest asks for nothing that is not there', () => {
  expect(found()).toEqual({ refused: [], warnings: [] });
});

type Treatment = 'done' | 'harmless' | readonly ['refused' | 'warned' | 'forbidden', unknown];
const refused = (value: unknown): Treatment => ['refused', value];
const warned = (value: unknown): Treatment => ['warned', value];
/** By validation, whatever the agent can do. */
const forbidden = (value: unknown): Treatment => ['forbidden', value];

const POD: { readonly [field: string]: Treatment } = {
  activeDeadlineSeconds: forbidden(1),
  affinity: 'done',
  automountServiceAccountToken: 'done',
  containers: 'done',
  dnsConfig: 'done',
  dnsPolicy: 'done',
  // There are no services.
  enableServiceLinks: 'harmless',
  ephemeralContainers: forbidden([{ name: 'a' }]),
  hostAliases: 'done',
  hostIPC: 'done',
  hostNetwork: 'done',
  hostPID: 'done',
  hostUsers: warned(false),
  hostname: 'done',
  hostnameOverride: refused('a'),
  imagePullSecrets: 'done',
  initContainers: 'done',
  nodeName: 'done',
  nodeSelector: 'done',
  os: 'done',
  overhead: refused({ cpu: '1' }),
  preemptionPolicy: warned('Never'),
  priority: warned(5),
  priorityClassName: warned('high'),
  readinessGates: refused([{ conditionType: 'a' }]),
  resourceClaims: refused([{ name: 'a' }]),
  resources: refused({ limits: { cpu: '1' } }),
  restartPolicy: 'done',
  runtimeClassName: refused('gvisor'),
  // Whoever schedules, a daemon pod has its node.
  schedulerName: 'harmless',
  schedulingGates: refused([{ name: 'a' }]),
  securityContext: 'done',
  serviceAccount: 'done',
  serviceAccountName: 'done',
  setHostnameAsFQDN: 'done',
  shareProcessNamespace: 'done',
  subdomain: 'done',
  terminationGracePeriodSeconds: 'done',
  tolerations: 'done',
  topologySpreadConstraints: warned([{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule' }]),
  volumes: 'done',
  workloadRef: refused({ name: 'a' }),
};

const POD_SECURITY: { readonly [field: string]: Treatment } = {
  appArmorProfile: 'done',
  fsGroup: 'done',
  // Only volumes that are the pod's own are changed, and those are new.
  fsGroupChangePolicy: 'harmless',
  // Merge is what is done; Strict is refused below.
  supplementalGroupsPolicy: 'harmless',
  // Volumes are labelled by nobody.
  seLinuxChangePolicy: 'harmless',
  runAsGroup: 'done',
  runAsNonRoot: 'done',
  runAsUser: 'done',
  seLinuxOptions: 'done',
  seccompProfile: 'done',
  supplementalGroups: 'done',
  // Those that are not safe are warned about or refused below.
  sysctls: 'done',
  windowsOptions: refused({ hostProcess: true }),
};

const CONTAINER: { readonly [field: string]: Treatment } = {
  args: 'done',
  command: 'done',
  env: 'done',
  envFrom: 'done',
  image: 'done',
  imagePullPolicy: 'done',
  lifecycle: 'done',
  livenessProbe: 'done',
  name: 'done',
  ports: 'done',
  readinessProbe: 'done',
  resizePolicy: warned([{ resourceName: 'cpu', restartPolicy: 'NotRequired' }]),
  resources: 'done',
  restartPolicy: 'done',
  restartPolicyRules: refused([{ action: 'Restart' }]),
  securityContext: 'done',
  startupProbe: 'done',
  stdin: 'done',
  stdinOnce: 'done',
  terminationMessagePath: 'done',
  terminationMessagePolicy: 'done',
  tty: 'done',
  volumeDevices: refused([{ name: 'a', devicePath: '/dev/a' }]),
  volumeMounts: 'done',
  workingDir: 'done',
};

const SECURITY: { readonly [field: string]: Treatment } = {
  allowPrivilegeEscalation: 'done',
  appArmorProfile: 'done',
  capabilities: 'done',
  privileged: 'done',
  procMount: 'done',
  readOnlyRootFilesystem: 'done',
  runAsGroup: 'done',
  runAsNonRoot: 'done',
  runAsUser: 'done',
  seLinuxOptions: 'done',
  seccompProfile: 'done',
  windowsOptions: refused({ hostProcess: true }),
};

const PROBE: { readonly [field: string]: Treatment } = {
  exec: 'done',
  failureThreshold: 'done',
  grpc: 'done',
  httpGet: 'done',
  initialDelaySeconds: 'done',
  periodSeconds: 'done',
  successThreshold: 'done',
  tcpSocket: 'done',
  terminationGracePeriodSeconds: 'done',
  timeoutSeconds: 'done',
};

const RESOURCES: { readonly [field: string]: Treatment } = {
  claims: refused([{ name: 'a' }]),
  limits: 'done',
  requests: 'done',
};

const containerObject = (field: string) =>
  (container.fields as { readonly [name: string]: unknown })[field] as ObjectSchema;
const PLACES: readonly (readonly [path: string, ObjectSchema, { readonly [field: string]: Treatment }])[] = [
  ['pod', podSpec, POD],
  ['pod.securityContext', podSpec.fields.securityContext, POD_SECURITY],
  ['main', container, CONTAINER],
  ['main.securityContext', containerObject('securityContext'), SECURITY],
  ['main.resources', containerObject('resources'), RESOURCES],
  ['main.livenessProbe', containerObject('livenessProbe'), PROBE],
  ['main.readinessProbe', containerObject('readinessProbe'), PROBE],
  ['main.startupProbe', containerObject('startupProbe'), PROBE],
];

describe.each(PLACES)('every field of %s', (path, schema, treatments) => {
  test('is treated', () => {
    expect(Object.keys(treatments).sort()).toEqual(Object.keys(schema.fields).sort());
  });
  const said = Object.entries(treatments).flatMap(([field, treatment]) =>
    typeof treatment === 'string' ? [] : [[field, ...treatment] as const],
  );
  test.each(said)('%s is %s', (field, how, value) => {
    const { refused: errors, warnings } = found([`${path}.${field}`, value]);
    const at = fullPath(`${path}.${field}`).replace('containers.0', 'containers[0]');
    const expectedErrors = how === 'refused' ? [at] : [];
    expect(errors.map((error) => error.field)).toEqual(expectedErrors);
    expect(errors.map(({ reason, message }) => `${reason} ${message}`)).toEqual(
      expectedErrors.map(() => 'FieldValueForbidden Forbidden: not supported by fleetset'),
    );
    expect(warnings.map((text) => text.slice(0, text.indexOf(':')))).toEqual(how === 'warned' ? [at] : []);
  });
});

describe('volumes', () => {
  const DONE = ['hostPath', 'emptyDir', 'configMap', 'secret', 'downwardAPI', 'projected'];
  const sources = Object.keys(volume.fields).filter((field) => field !== 'name' && !DONE.includes(field));
  test.each(sources)('%s is refused', (source) => {
    const { refused: errors } = found(['pod.volumes', [{ name: 'v', [source]: {} }]]);
    expect(errors.map(({ field }) => field)).toEqual([`spec.template.spec.volumes[0].${source}`]);
  });
  test.each(DONE)('%s is done', (source) => {
    const value = source === 'hostPath' ? { path: '/v' } : {};
    expect(found(['pod.volumes', [{ name: 'v', [source]: value }]])).toEqual({
      refused: [],
      warnings: [],
    });
  });
  test.each(['clusterTrustBundle', 'podCertificate'])('projected %s is refused', (kind) => {
    const sources = [{ configMap: { name: 'c' } }, { [kind]: { path: 'a' } }];
    expect(found(['pod.volumes', [{ name: 'v', projected: { sources } }]]).refused).toEqual([
      {
        reason: 'FieldValueForbidden',
        field: `spec.template.spec.volumes[0].projected.sources[1].${kind}`,
        message: 'Forbidden: not supported by fleetset',
      },
    ]);
  });
  test('an emptyDir of huge pages is refused, and how large one on disk may be is warned about', () => {
    const at = 'spec.template.spec.volumes[0].emptyDir';
    const huge = found(['pod.volumes', [{ name: 'v', emptyDir: { medium: 'HugePages' } }]]);
    expect(huge.refused.map(({ field }) => field)).toEqual([`${at}.medium`]);
    const onDisk = found(['pod.volumes', [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }]]);
    expect(onDisk).toEqual({
      refused: [],
      warnings: [`${at}.sizeLimit: has no effect: the disk is not metered`],
    });
    expect(found(['pod.volumes', [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } }]])).toEqual(
      { refused: [], warnings: [] },
    );
  });
});

describe('single values', () => {
  test.each<[Edit, string]>([
    [
      ['pod.securityContext', { supplementalGroupsPolicy: 'Strict' }],
      'spec.template.spec.securityContext.supplementalGroupsPolicy',
    ],
    [
      ['pod.securityContext', { sysctls: [{ name: 'vm.swappiness', value: '1' }] }],
      'spec.template.spec.securityContext.sysctls[0].name',
    ],
    [
      ['pod.initContainers', [{ name: 'i', volumeDevices: [{ name: 'a', devicePath: '/dev/a' }] }]],
      'spec.template.spec.initContainers[0].volumeDevices',
    ],
    [['pod.affinity', { podAffinity: {} }], 'spec.template.spec.affinity.podAffinity'],
    [['pod.affinity', { podAntiAffinity: {} }], 'spec.template.spec.affinity.podAntiAffinity'],
    [
      ['main.env', [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'p', key: 'k' } } }]],
      'spec.template.spec.containers[0].env[0].valueFrom.fileKeyRef',
    ],
    [
      [
        'main.volumeMounts',
        [
          { name: 'v', mountPath: '/v' },
          { name: 'v', mountPath: '/w', recursiveReadOnly: 'Enabled' },
          { name: 'v', mountPath: '/x', readOnly: true, recursiveReadOnly: 'IfPossible' },
          { name: 'v', mountPath: '/y', recursiveReadOnly: 'Disabled' },
        ],
      ],
      'spec.template.spec.containers[0].volumeMounts[1].recursiveReadOnly',
    ],
    [
      ['main.resources', { limits: { 'hugepages-2Mi': '4Mi', memory: '1Gi' } }],
      'spec.template.spec.containers[0].resources.limits[hugepages-2Mi]',
    ],
    [
      ['main.resources', { limits: { 'nvidia.com/gpu': '1' } }],
      'spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]',
    ],
    [
      ['main.resources', { limits: { 'hugepages-2Mi': '1' } }],
      'spec.template.spec.containers[0].resources.limits[hugepages-2Mi]',
    ],
  ])('%j is refused', (edit, field) => {
    expect(found(edit).refused.map((error) => error.field)).toEqual([field]);
  });

  test.each<[string, readonly Edit[], readonly string[]]>([
    ['a surge is supported', [], []],
    [
      'over a port of the node it is warned about',
      [['main.ports', [{ containerPort: 80, hostPort: 8080 }]]],
      ['8080'],
    ],
    [
      "also on the node's own network",
      [
        ['pod.hostNetwork', true],
        ['main.ports', [{ containerPort: 9100 }]],
      ],
      ['9100'],
    ],
    ['a port of the pod is its own', [['main.ports', [{ containerPort: 80 }]]], []],
  ])('%s', (_sentence, edits, ports) => {
    const surge: Edit = ['spec.updateStrategy', { rollingUpdate: { maxUnavailable: 0, maxSurge: '10%' } }];
    expect(found(surge, ...edits)).toEqual({
      refused: [],
      warnings: ports.map(
        (port) =>
          `spec.updateStrategy.rollingUpdate.maxSurge: the new pod runs beside the old one: an update that keeps a port of the node (TCP/${port}) fails`,
      ),
    });
  });

  test('a pod for another system is warned about: nodes reject it', () => {
    expect(found(['pod.os', { name: 'windows' }])).toEqual({
      refused: [],
      warnings: ['spec.template.spec.os.name: agents run on linux, and reject a pod that is for windows'],
    });
  });

  test('a sysctl that only some nodes allow is warned about', () => {
    const sysctls = [{ name: 'net/core/somaxconn', value: '1' }];
    expect(found(['pod.securityContext', { sysctls }])).toEqual({
      refused: [],
      warnings: [
        'spec.template.spec.securityContext.sysctls[0].name: sysctl "net/core/somaxconn" is not among the safe ones: only nodes whose agent allows it (allowedUnsafeSysctls) run the pod',
      ],
    });
  });

  test.each<[string, object, object | undefined, boolean]>([
    ['of the pod', { runAsGroup: 3000 }, undefined, true],
    ['of each container', {}, { runAsGroup: 3000 }, true],
    ['anywhere is missing, the groups of the image would come', {}, undefined, false],
  ])('strict groups: a group %s', (_, pod, own, supported) => {
    const { refused } = found(
      ['pod.securityContext', { supplementalGroupsPolicy: 'Strict', ...pod }],
      ['main.securityContext', own ?? {}],
    );
    expect(refused.map(({ field }) => field)).toEqual(
      supported ? [] : ['spec.template.spec.securityContext.supplementalGroupsPolicy'],
    );
  });

  test('users of its own are warned about: not every node has them', () => {
    expect(found(['pod.hostUsers', false])).toEqual({
      refused: [],
      warnings: [
        'spec.template.spec.hostUsers: only nodes whose engine maps users (userns-remap) run the pod',
      ],
    });
  });

  test('rule 83: an extended resource is refused with another way to devices', () => {
    const [error] = found(['main.resources', { limits: { 'nvidia.com/gpu': '1' } }]).refused;
    expect(error?.message).toContain(
      "not supported by fleetset: no device plugin hands it out; the template's annotation fleetset.dev/devices gives devices by their paths",
    );
  });

  test.each([
    ['/var/lib/kubelet', true],
    ['/var/lib/kubelet/device-plugins', true],
    ['/var/lib/kubelet-backup', false],
    ['/var/lib', false],
  ])("a kubelet's directory is warned about, and %s: %s", (path, isWarned) => {
    const { refused, warnings } = found(['pod.volumes', [{ name: 'v', hostPath: { path } }]]);
    expect([refused, warnings]).toEqual([
      [],
      isWarned
        ? [
            'spec.template.spec.volumes[0].hostPath.path: there is no kubelet on the node: this directory holds nothing of its pods, and a device plugin or CSI driver finds nobody to register with',
          ]
        : [],
    ]);
  });

  test('a limit of disk is warned about', () => {
    expect(found(['main.resources', { limits: { 'ephemeral-storage': '1Gi' } }]).warnings).toEqual([
      'spec.template.spec.containers[0].resources.limits[ephemeral-storage]: has no effect: the disk is not metered',
    ]);
  });

  test.each<Edit>([
    ['pod.initContainers', []],
    ['pod.dnsConfig', {}],
    ['pod.hostUsers', true],
    ['pod.os', { name: 'linux' }],
    ['pod.hostname', ''],
    ['pod.securityContext', { sysctls: [], seLinuxOptions: {} }],
    ['pod.securityContext', { sysctls: [{ name: 'net/ipv4/tcp_syncookies', value: '1' }] }],
    ['spec.updateStrategy', { rollingUpdate: { maxSurge: '0%' } }],
    ['main.resources', { limits: { cpu: '1', memory: '1Gi' } }],
    ['main.resources', { limits: { 'nvidia.com/gpu': '0', 'hugepages-2Mi': '0' } }],
  ])('%s: %j asks for nothing', (...edit) => {
    expect(found(edit)).toEqual({ refused: [], warnings: [] });
  });
});
