// One container of a pod: what it runs, what it may use, how its health is told.
import {
  atomic,
  boolean,
  flag,
  type Infer,
  int32,
  int64,
  intOrString,
  list,
  listByKey,
  map,
  object,
  quantity,
  string,
  stringOrAbsent,
} from './schema.ts';
import { fieldRefs } from './volume.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;

const configMapKeySelector = atomic(
  object(core('ConfigMapKeySelector'), { name: string(), key: string(), optional: boolean() }, ['key']),
);
const secretKeySelector = atomic(
  object(core('SecretKeySelector'), { name: string(), key: string(), optional: boolean() }, ['key']),
);
const envVar = object(
  core('EnvVar'),
  {
    name: string(),
    value: string(),
    valueFrom: object(core('EnvVarSource'), {
      ...fieldRefs,
      configMapKeyRef: configMapKeySelector,
      secretKeyRef: secretKeySelector,
      fileKeyRef: atomic(
        object(
          core('FileKeySelector'),
          { volumeName: string(), path: string(), key: string(), optional: boolean() },
          ['volumeName', 'path', 'key'],
        ),
      ),
    }),
  },
  ['name'],
);
export interface EnvVar extends Infer<typeof envVar> {}

const envFromSource = object(core('EnvFromSource'), {
  prefix: string(),
  configMapRef: object(core('ConfigMapEnvSource'), { name: string(), optional: boolean() }),
  secretRef: object(core('SecretEnvSource'), { name: string(), optional: boolean() }),
});

const containerPort = object(
  core('ContainerPort'),
  {
    name: string(),
    hostPort: int32({ zeroIsUnset: true }),
    containerPort: int32(),
    protocol: string({ default: 'TCP' }),
    hostIP: string(),
  },
  ['containerPort'],
);
export interface ContainerPort extends Infer<typeof containerPort> {}

const httpHeader = object(core('HTTPHeader'), { name: string(), value: string() }, ['name', 'value']);
const execAction = object(core('ExecAction'), { command: list(string()) });
const httpGetAction = object(
  core('HTTPGetAction'),
  {
    path: string({ default: '/' }),
    port: intOrString(),
    host: string(),
    scheme: string({ default: 'HTTP' }),
    httpHeaders: list(httpHeader),
  },
  ['port'],
);
const tcpSocketAction = object(core('TCPSocketAction'), { port: intOrString(), host: string() }, ['port']);
const grpcAction = object(core('GRPCAction'), { port: int32(), service: string({ default: '' }) }, ['port']);
const sleepAction = object(core('SleepAction'), { seconds: int64() }, ['seconds']);

const probe = object(core('Probe'), {
  exec: execAction,
  httpGet: httpGetAction,
  tcpSocket: tcpSocketAction,
  grpc: grpcAction,
  initialDelaySeconds: int32({ zeroIsUnset: true }),
  timeoutSeconds: int32({ default: 1, zeroIsUnset: true }),
  periodSeconds: int32({ default: 10, zeroIsUnset: true }),
  successThreshold: int32({ default: 1, zeroIsUnset: true }),
  failureThreshold: int32({ default: 3, zeroIsUnset: true }),
  terminationGracePeriodSeconds: int64(),
});
export interface Probe extends Infer<typeof probe> {}

const lifecycleHandler = object(core('LifecycleHandler'), {
  exec: execAction,
  httpGet: httpGetAction,
  tcpSocket: tcpSocketAction,
  sleep: sleepAction,
});

const resourceClaimRef = object(core('ResourceClaim'), { name: string(), request: string() }, ['name']);
export const resourceRequirements = object(core('ResourceRequirements'), {
  limits: map(quantity),
  requests: map(quantity),
  claims: list(resourceClaimRef, { mapKeys: ['name'] }),
});
export interface ResourceRequirements extends Infer<typeof resourceRequirements> {}

const volumeMount = object(
  core('VolumeMount'),
  {
    name: string(),
    readOnly: flag,
    recursiveReadOnly: stringOrAbsent,
    mountPath: string(),
    subPath: string(),
    mountPropagation: stringOrAbsent,
    subPathExpr: string(),
  },
  ['name', 'mountPath'],
);
export interface VolumeMount extends Infer<typeof volumeMount> {}

const volumeDevice = object(core('VolumeDevice'), { name: string(), devicePath: string() }, [
  'name',
  'devicePath',
]);

export const seLinuxOptions = object(core('SELinuxOptions'), {
  user: string(),
  role: string(),
  type: string(),
  level: string(),
});
export const windowsOptions = object(core('WindowsSecurityContextOptions'), {
  gmsaCredentialSpecName: string(),
  gmsaCredentialSpec: string(),
  runAsUserName: string(),
  hostProcess: boolean(),
});
export const seccompProfile = object(
  core('SeccompProfile'),
  { type: string(), localhostProfile: stringOrAbsent },
  ['type'],
);
export const appArmorProfile = object(
  core('AppArmorProfile'),
  { type: string(), localhostProfile: stringOrAbsent },
  ['type'],
);

const securityContext = object(core('SecurityContext'), {
  capabilities: object(core('Capabilities'), { add: list(string()), drop: list(string()) }),
  privileged: boolean(),
  seLinuxOptions,
  windowsOptions,
  runAsUser: int64(),
  runAsGroup: int64(),
  runAsNonRoot: boolean(),
  readOnlyRootFilesystem: boolean(),
  allowPrivilegeEscalation: boolean(),
  procMount: stringOrAbsent,
  seccompProfile,
  appArmorProfile,
});
export interface SecurityContext extends Infer<typeof securityContext> {}

const restartRule = object(core('ContainerRestartRule'), {
  action: string(),
  exitCodes: object(core('ContainerRestartRuleOnExitCodes'), { operator: string(), values: list(int32()) }),
});

const containerFields = {
  name: string(),
  image: string(),
  command: list(string()),
  args: list(string()),
  workingDir: string(),
  ports: listByKey(containerPort, 'containerPort', 'protocol'),
  envFrom: list(envFromSource),
  env: listByKey(envVar, 'name'),
  resources: resourceRequirements,
  resizePolicy: list(
    object(core('ContainerResizePolicy'), { resourceName: string(), restartPolicy: string() }),
  ),
  restartPolicy: stringOrAbsent,
  restartPolicyRules: list(restartRule),
  volumeMounts: listByKey(volumeMount, 'mountPath'),
  volumeDevices: listByKey(volumeDevice, 'devicePath'),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: object(core('Lifecycle'), {
    postStart: lifecycleHandler,
    preStop: lifecycleHandler,
    stopSignal: stringOrAbsent,
  }),
  terminationMessagePath: string({ default: '/dev/termination-log' }),
  terminationMessagePolicy: string({ default: 'File' }),
  imagePullPolicy: string(),
  securityContext,
  stdin: flag,
  stdinOnce: flag,
  tty: flag,
} as const;

export const container = object(core('Container'), containerFields, ['name']);
export interface Container extends Infer<typeof container> {}

export const ephemeralContainer = object(
  core('EphemeralContainer'),
  { ...containerFields, targetContainerName: string() },
  ['name'],
);
