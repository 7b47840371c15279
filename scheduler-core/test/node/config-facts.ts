// A pod, a node, and some ConfigMaps and Secrets, for tables about what pods take from them.
import type { ConfigData, ConfigLookup } from '@fleetset/scheduler-core/node/config-data';
import type { PodFacts } from '@fleetset/scheduler-core/node/field-ref';

const base64Letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Of plain ASCII. */
export const decodeAscii = (base64: string): string => {
  const bits = [...base64.replace(/=/g, '')]
    .map((letter) => base64Letters.indexOf(letter).toString(2).padStart(6, '0'))
    .join('');
  return (bits.match(/.{8}/g) ?? []).map((octet) => String.fromCharCode(Number.parseInt(octet, 2))).join('');
};

const OBJECTS: { readonly [key: string]: ConfigData } = {
  'ConfigMap/app': {
    data: { level: 'debug', name: 'app', 'a.conf': 'x=$(name)' },
    binaryData: { logo: 'AAE=' },
  },
  'ConfigMap/more': { data: { level: 'info', extra: 'yes' } },
  'ConfigMap/empty': {},
  // "s3cret" and "root".
  'Secret/login': { data: { password: 'czNjcmV0', user: 'cm9vdA==' } },
};

/** There are ConfigMaps app, more and empty, and a Secret login. Nothing was told of those called "new". */
export const lookup: ConfigLookup = (kind, name) =>
  name === 'new' ? 'untold' : (OBJECTS[`${kind}/${name}`] ?? 'missing');

export const POD: PodFacts = {
  name: 'web-abcde',
  namespace: 'prod',
  uid: 'uid-1',
  labels: { app: 'web', 'controller-revision-hash': 'r1' },
  annotations: {
    note: 'a "quoted"\nline\t\\',
    'Example.org/Owner': 'me',
    odd: 'ü 日本 😀\x7f\x85\xa0\u{e0001}',
  },
  nodeName: 'node-1',
  serviceAccountName: 'default',
  hostIp: '10.0.0.1',
  podIp: '172.17.0.2',
  allocatable: { cpus: 4, memoryBytes: 8 * 2 ** 30, diskBytes: 2 ** 40 },
};
