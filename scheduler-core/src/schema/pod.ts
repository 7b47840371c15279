// A pod: the spec that a template carries, and the status that a node reports.

import {
  appArmorProfile,
  container,
  ephemeralContainer,
  resourceRequirements,
  seccompProfile,
  seLinuxOptions,
  windowsOptions,
} from './container.ts';
import { objectMeta } from './meta.ts';
import { affinity, toleration, topologySpreadConstraint } from './scheduling.ts';
import {
  any,
  atomic,
  boolean,
  flag,
  type Infer,
  int32,
  int64,
  list,
  listByKey,
  map,
  object,
  quantity,
  string,
  stringOrAbsent,
  time,
} from './schema.ts';
import { volumes } from './volume.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;

export const localObjectReference = atomic(
  object(core('LocalObjectReference'), { name: string({ default: '' }) }),
);

const podSecurityContext = object(core('PodSecurityContext'), {
  seLinuxOptions,
  windowsOptions,
  runAsUser: int64(),
  runAsGroup: int64(),
  runAsNonRoot: boolean(),
  supplementalGroups: list(int64()),
  supplementalGroupsPolicy: stringOrAbsent,
  fsGroup: int64(),
  sysctls: list(object(core('Sysctl'), { name: string(), value: string() }, ['name', 'value'])),
  fsGroupChangePolicy: stringOrAbsent,
  seccompProfile,
  appArmorProfile,
  seLinuxChangePolicy: stringOrAbsent,
});
export interface PodSecurityContext extends Infer<typeof podSecurityContext> {}

const hostAlias = object(core('HostAlias'), { ip: string(), hostnames: list(string()) }, ['ip']);
const dnsConfig = object(core('PodDNSConfig'), {
  nameservers: list(string()),
  searches: list(string()),
  options: list(object(core('PodDNSConfigOption'), { name: string(), value: string() })),
});

export const podSpec = object(
  core('PodSpec'),
  {
    volumes,
    initContainers: listByKey(container, 'name'),
    containers: listByKey(container, 'name'),
    ephemeralContainers: listByKey(ephemeralContainer, 'name'),
    restartPolicy: string({ default: 'Always' }),
    terminationGracePeriodSeconds: int64({ default: 30 }),
    activeDeadlineSeconds: int64(),
    dnsPolicy: string({ default: 'ClusterFirst' }),
    nodeSelector: atomic(map(string())),
    serviceAccountName: string(),
    serviceAccount: string(),
    automountServiceAccountToken: boolean(),
    nodeName: string(),
    hostNetwork: flag,
    hostPID: flag,
    hostIPC: flag,
    shareProcessNamespace: boolean(),
    securityContext: { ...podSecurityContext, default: {} },
    imagePullSecrets: listByKey(localObjectReference, 'name'),
    hostname: string(),
    subdomain: string(),
    affinity,
    schedulerName: string({ default: 'default-scheduler' }),
    tolerations: list(toleration),
    hostAliases: listByKey(hostAlias, 'ip'),
    priorityClassName: string(),
    priority: int32(),
    dnsConfig,
    readinessGates: list(object(core('PodReadinessGate'), { conditionType: string() }, ['conditionType'])),
    runtimeClassName: stringOrAbsent,
    enableServiceLinks: boolean(),
    preemptionPolicy: stringOrAbsent,
    overhead: map(quantity),
    topologySpreadConstraints: listByKey(topologySpreadConstraint, 'topologyKey', 'whenUnsatisfiable'),
    setHostnameAsFQDN: boolean(),
    os: object(core('PodOS'), { name: string() }, ['name']),
    hostUsers: boolean(),
    schedulingGates: listByKey(object(core('PodSchedulingGate'), { name: string() }, ['name']), 'name'),
    resourceClaims: {
      ...listByKey(
        object(
          core('PodResourceClaim'),
          { name: string(), resourceClaimName: string(), resourceClaimTemplateName: string() },
          ['name'],
        ),
        'name',
      ),
      retainKeys: true,
    },
    resources: resourceRequirements,
    hostnameOverride: string(),
    workloadRef: any,
  },
  ['containers'],
);
export interface PodSpec extends Infer<typeof podSpec> {}

export const podTemplateSpec = object(core('PodTemplateSpec'), { metadata: objectMeta, spec: podSpec });
export interface PodTemplateSpec extends Infer<typeof podTemplateSpec> {}

const containerState = object(core('ContainerState'), {
  waiting: object(core('ContainerStateWaiting'), { reason: string(), message: string() }),
  running: object(core('ContainerStateRunning'), { startedAt: time }),
  terminated: object(
    core('ContainerStateTerminated'),
    {
      exitCode: int32(),
      signal: int32(),
      reason: string(),
      message: string(),
      startedAt: time,
      finishedAt: time,
      containerID: string(),
    },
    ['exitCode'],
  ),
});
export interface ContainerState extends Infer<typeof containerState> {}

const containerStatus = object(
  core('ContainerStatus'),
  {
    name: string(),
    state: containerState,
    lastState: containerState,
    ready: boolean(),
    restartCount: int32(),
    image: string(),
    imageID: string(),
    containerID: string(),
    started: boolean(),
    allocatedResources: map(quantity),
    resources: resourceRequirements,
    volumeMounts: list(any),
    user: any,
    allocatedResourcesStatus: list(any),
    stopSignal: stringOrAbsent,
  },
  ['name', 'ready', 'restartCount', 'image', 'imageID'],
);
export interface ContainerStatus extends Infer<typeof containerStatus> {}

const podCondition = object(
  core('PodCondition'),
  {
    type: string(),
    observedGeneration: int64(),
    status: string(),
    lastProbeTime: time,
    lastTransitionTime: time,
    reason: string(),
    message: string(),
  },
  ['type', 'status'],
);
export interface PodCondition extends Infer<typeof podCondition> {}

export const podStatus = object(core('PodStatus'), {
  observedGeneration: int64(),
  phase: string(),
  conditions: listByKey(podCondition, 'type'),
  message: string(),
  reason: string(),
  nominatedNodeName: string(),
  hostIP: string(),
  hostIPs: list(object(core('HostIP'), { ip: string() }, ['ip'])),
  podIP: string(),
  podIPs: listByKey(object(core('PodIP'), { ip: string() }, ['ip']), 'ip'),
  startTime: time,
  initContainerStatuses: list(containerStatus),
  containerStatuses: list(containerStatus),
  ephemeralContainerStatuses: list(containerStatus),
  qosClass: string(),
  resize: string(),
  resourceClaimStatuses: list(any),
});
export interface PodStatus extends Infer<typeof podStatus> {}

export const pod = object(core('Pod'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  spec: podSpec,
  status: podStatus,
});
export interface Pod extends Infer<typeof pod> {}
