// Volumes of a pod. Sources that no machine outside a cloud or cluster could serve are known by name only.

import { labelSelector } from './meta.ts';
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
  object,
  quantity,
  string,
} from './schema.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;

const keyToPath = object(core('KeyToPath'), { key: string(), path: string(), mode: int32() }, [
  'key',
  'path',
]);

const objectFieldSelector = atomic(
  object(core('ObjectFieldSelector'), { apiVersion: string({ default: 'v1' }), fieldPath: string() }, [
    'fieldPath',
  ]),
);
const resourceFieldSelector = atomic(
  object(core('ResourceFieldSelector'), { containerName: string(), resource: string(), divisor: quantity }, [
    'resource',
  ]),
);
export const fieldRefs = { fieldRef: objectFieldSelector, resourceFieldRef: resourceFieldSelector };

const downwardApiItem = object(
  core('DownwardAPIVolumeFile'),
  { path: string(), ...fieldRefs, mode: int32() },
  ['path'],
);

const hostPathSource = object(
  core('HostPathVolumeSource'),
  { path: string(), type: string({ default: '' }) },
  ['path'],
);

const projection = object(core('VolumeProjection'), {
  secret: object(core('SecretProjection'), {
    name: string(),
    items: list(keyToPath),
    optional: boolean(),
  }),
  configMap: object(core('ConfigMapProjection'), {
    name: string(),
    items: list(keyToPath),
    optional: boolean(),
  }),
  downwardAPI: object(core('DownwardAPIProjection'), { items: list(downwardApiItem) }),
  serviceAccountToken: object(
    core('ServiceAccountTokenProjection'),
    { audience: string(), expirationSeconds: int64({ default: 3600 }), path: string() },
    ['path'],
  ),
  clusterTrustBundle: object(
    core('ClusterTrustBundleProjection'),
    { name: string(), signerName: string(), labelSelector, optional: boolean(), path: string() },
    ['path'],
  ),
  podCertificate: any,
});

/** Sources by name. The value says nothing of whether an agent can serve it: see validation/support.ts. */
export const volumeSources = {
  hostPath: hostPathSource,
  emptyDir: object(core('EmptyDirVolumeSource'), { medium: string(), sizeLimit: quantity }),
  configMap: object(core('ConfigMapVolumeSource'), {
    name: string(),
    items: list(keyToPath),
    defaultMode: int32({ default: 0o644 }),
    optional: boolean(),
  }),
  secret: object(core('SecretVolumeSource'), {
    secretName: string(),
    items: list(keyToPath),
    defaultMode: int32({ default: 0o644 }),
    optional: boolean(),
  }),
  downwardAPI: object(core('DownwardAPIVolumeSource'), {
    items: list(downwardApiItem),
    defaultMode: int32({ default: 0o644 }),
  }),
  projected: object(core('ProjectedVolumeSource'), {
    sources: list(projection),
    defaultMode: int32({ default: 0o644 }),
  }),
  persistentVolumeClaim: object(
    core('PersistentVolumeClaimVolumeSource'),
    { claimName: string(), readOnly: flag },
    ['claimName'],
  ),
  nfs: object(core('NFSVolumeSource'), { server: string(), path: string(), readOnly: flag }, [
    'server',
    'path',
  ]),
  image: object(core('ImageVolumeSource'), { reference: string(), pullPolicy: string() }),
  csi: any,
  ephemeral: any,
  awsElasticBlockStore: any,
  azureDisk: any,
  azureFile: any,
  cephfs: any,
  cinder: any,
  fc: any,
  flexVolume: any,
  flocker: any,
  gcePersistentDisk: any,
  gitRepo: any,
  glusterfs: any,
  iscsi: any,
  photonPersistentDisk: any,
  portworxVolume: any,
  quobyte: any,
  rbd: any,
  scaleIO: any,
  storageos: any,
  vsphereVolume: any,
} as const;

export const volume = object(core('Volume'), { name: string(), ...volumeSources }, ['name']);
export interface Volume extends Infer<typeof volume> {}

export const volumes = { ...listByKey(volume, 'name'), retainKeys: true } as const;
