// Proves that a DaemonSet is refused where Kubernetes refuses it, with its paths and its words (rules 67 to 83).
import { type DaemonSet, daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { defaultDaemonSet } from '@fleetset/scheduler-core/schema/daemon-set-defaults';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { validateDaemonSet, validateDaemonSetUpdate } from '@fleetset/scheduler-core/validation/daemon-set';
import { findUnsupported } from '@fleetset/scheduler-core/validation/support';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Edit, edited, MINIMAL, readDaemonSet } from '../manifest.ts';
import { holds } from '../property.ts';
import { arbitraryOf } from '../schema/arbitrary.ts';

/** "pod" and "main" as in edits; a message that ends in … goes on. */
const expand = (line: string): string =>
  line
    .replace(/^main\b/, 'spec.template.spec.containers[0]')
    .replace(/^other\b/, 'spec.template.spec.containers[1]')
    .replace(/^pod\b/, 'spec.template.spec');

function expectErrors(json: unknown, lines: readonly string[]) {
  const errors = validateDaemonSet(readDaemonSet(json)).map(({ field, message }) => `${field}: ${message}`);
  const expected = lines.map(expand).map((line) => {
    if (!line.endsWith('…')) return line;
    return errors.find((error) => error.startsWith(line.slice(0, -1))) ?? line;
  });
  expect(errors).toEqual(expected);
}

type Row = readonly [sentence: string, edits: readonly Edit[], ...errors: string[]];
const refuses = (rows: readonly Row[]) =>
  test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, edits, ...errors]) =>
    expectErrors(edited(MINIMAL, edits), errors),
  );

const MISMATCH =
  'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`';

describe('rule 71: the selector', () => {
  refuses([
    ['absent is an error of the template labels', [['spec.selector', undefined]], MISMATCH],
    [
      'rule 65: empty is an error of its own, so that none is ever stored',
      [['spec.selector', {}]],
      'spec.selector: Invalid value: {}: empty selector is invalid for daemonset',
    ],
    ['must match the template', [['spec.selector', { matchLabels: { app: 'api' } }]], MISMATCH],
    [
      'must be readable; then nothing is said of the match',
      [['spec.selector', { matchExpressions: [{ key: 'app', operator: 'In' }] }]],
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ],
    [
      'has no values under Exists',
      [['spec.selector', { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['web'] }] }]],
      "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    ],
    [
      'knows four operators',
      [['spec.selector', { matchExpressions: [{ key: 'app', operator: 'Gt', values: ['1'] }] }]],
      'spec.selector.matchExpressions[0].operator: Invalid value: "Gt": not a valid selector operator',
    ],
    [
      'needs a key',
      [['spec.selector', { matchExpressions: [{ operator: 'Exists' }] }]],
      'spec.selector.matchExpressions[0].key: Invalid value: "": name part must be non-empty',
    ],
  ]);
  test('cannot be changed', () => {
    const old = readDaemonSet(MINIMAL);
    const changed = readDaemonSet(
      edited(MINIMAL, [
        ['spec.selector', { matchLabels: { app: 'web', tier: 'x' } }],
        ['spec.template.metadata.labels', { app: 'web', tier: 'x' }],
      ]),
    );
    expect(validateDaemonSetUpdate(old, old)).toEqual([]);
    expect(validateDaemonSetUpdate(changed, old)).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: 'spec.selector',
        message: 'Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is immutable',
      },
    ]);
  });
});

describe('the object', () => {
  refuses([
    [
      'needs a name',
      [['metadata.name', undefined]],
      'metadata.name: Required value: name or generateName is required',
    ],
    ['needs a namespace', [['metadata.namespace', undefined]], 'metadata.namespace: Required value'],
    ['needs a spec', [['spec', undefined]], 'spec: Required value'],
    [
      'has a DNS subdomain for its name',
      [['metadata.name', 'Web_1']],
      'metadata.name: Invalid value: "Web_1": a lowercase RFC 1123 subdomain must consist of…',
    ],
    [
      'has labels and annotations as Kubernetes knows them',
      [
        ['metadata.labels', { 'a b': 'c d' }],
        ['metadata.annotations', { 'a b': 'c d' }],
      ],
      'metadata.labels: Invalid value: "a b": name part must consist of…',
      'metadata.labels: Invalid value: "c d": a valid label must be…',
      'metadata.annotations: Invalid value: "a b": name part must consist of…',
    ],
    [
      'has not too much in annotations',
      [['metadata.annotations', { a: 'x'.repeat(262_144) }]],
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ],
    [
      'has no negative counts',
      [
        ['spec.minReadySeconds', -1],
        ['spec.revisionHistoryLimit', -1],
      ],
      'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
      'spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
    ],
  ]);
});

const rolling = (rollingUpdate: unknown): Edit => ['spec.updateStrategy.rollingUpdate', rollingUpdate];
const AT = 'spec.updateStrategy.rollingUpdate';
const NOT_BOTH = 'may not be set when maxUnavailable is non-zero';
const PERCENT =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

describe('rules 67 to 70: the update strategy', () => {
  refuses([
    [
      'rule 68: maxSurge alone meets the default of maxUnavailable',
      [rolling({ maxSurge: 1 })],
      `${AT}.maxSurge: Invalid value: 1: ${NOT_BOTH}`,
    ],
    [
      'rule 68: neither',
      [rolling({ maxUnavailable: 0 })],
      `${AT}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
    ],
    [
      'rule 68: neither, as percentages',
      [rolling({ maxUnavailable: '0%', maxSurge: '0%' })],
      `${AT}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
    ],
    ['rule 68: an explicit 0 beside maxSurge is right', [rolling({ maxUnavailable: 0, maxSurge: '10%' })]],
    [
      'rule 69: a number in quotes',
      [rolling({ maxUnavailable: '1' })],
      `${AT}.maxUnavailable: Invalid value: "1": ${PERCENT}`,
    ],
    [
      'rule 69: more than all',
      [rolling({ maxUnavailable: '101%' })],
      `${AT}.maxUnavailable: Invalid value: "101%": must not be greater than 100%`,
    ],
    [
      'rule 69: less than nothing',
      [rolling({ maxUnavailable: -1 })],
      `${AT}.maxUnavailable: Invalid value: -1: must be greater than or equal to 0`,
    ],
    [
      'rule 69: both are looked at',
      [rolling({ maxUnavailable: 'x', maxSurge: 'y' })],
      `${AT}.maxUnavailable: Invalid value: "x": ${PERCENT}`,
      `${AT}.maxSurge: Invalid value: "y": ${PERCENT}`,
      `${AT}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
    ],
    [
      'rule 69: what is malformed is looked at with the other, too',
      [rolling({ maxUnavailable: '1', maxSurge: '101%' })],
      `${AT}.maxUnavailable: Invalid value: "1": ${PERCENT}`,
      `${AT}.maxSurge: Invalid value: "101%": must not be greater than 100%`,
      `${AT}.maxSurge: Invalid value: "101%": ${NOT_BOTH}`,
    ],
    [
      'rule 69: what is no number is none',
      [rolling({ maxUnavailable: '1x', maxSurge: -1 })],
      `${AT}.maxUnavailable: Invalid value: "1x": ${PERCENT}`,
      `${AT}.maxSurge: Invalid value: -1: must be greater than or equal to 0`,
    ],
    [
      'rule 69: of several faults each is named, the form first',
      [rolling({ maxUnavailable: '200%', maxSurge: 'x' })],
      `${AT}.maxSurge: Invalid value: "x": ${PERCENT}`,
      `${AT}.maxUnavailable: Invalid value: "200%": must not be greater than 100%`,
    ],
    [
      'rule 70: rollingUpdate is not looked at under OnDelete',
      [['spec.updateStrategy', { type: 'OnDelete', rollingUpdate: { maxUnavailable: 'x' } }]],
    ],
    [
      'rule 70: an unknown type is an error of the strategy itself',
      [['spec.updateStrategy', { type: 'Recreate' }]],
      'spec.updateStrategy: Unsupported value: "Recreate": supported values: "OnDelete", "RollingUpdate"',
    ],
  ]);
});

describe('rules 72 and 73: the template', () => {
  refuses([
    [
      'rule 72: restarts always',
      [['pod.restartPolicy', 'OnFailure']],
      'pod.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
    ],
    [
      'rule 72: has no deadline',
      [['pod.activeDeadlineSeconds', 5]],
      'pod.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported',
    ],
    [
      'rule 72: has no ephemeral containers',
      [['pod.ephemeralContainers', [{ name: 'debug' }]]],
      'pod.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template',
    ],
    ['needs a spec', [['pod', undefined]], 'spec.template.spec.containers: Required value'],
    ['needs a container', [['pod.containers', []]], 'pod.containers: Required value'],
    [
      'rule 73: errors of its labels and annotations lack "metadata"',
      [
        ['spec.template.metadata.labels', { app: 'web', 'a b': 'c' }],
        ['spec.template.metadata.annotations', { 'a b': 'c' }],
      ],
      'spec.template.labels: Invalid value: "a b": name part must consist of…',
      'spec.template.annotations: Invalid value: "a b": name part must consist of…',
    ],
    [
      'has a grace of 0 or more',
      [['pod.terminationGracePeriodSeconds', -1]],
      'pod.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'is for a system that there is',
      [['pod.os', { name: 'plan9' }]],
      'pod.os.name: Unsupported value: "plan9": supported values: "linux", "windows"',
    ],
    ['names that system', [['pod.os', { name: '' }]], 'pod.os.name: Required value'],
    [
      'names a DNS policy that there is',
      [['pod.dnsPolicy', 'Mine']],
      'pod.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"',
    ],
    [
      'names its servers under None',
      [['pod.dnsPolicy', 'None']],
      'pod.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None',
    ],
    [
      'does not share what it takes from the host',
      [
        ['pod.hostPID', true],
        ['pod.shareProcessNamespace', true],
      ],
      'pod.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
    ],
    [
      'runs as nobody below root',
      [['pod.securityContext', { runAsUser: -1, runAsGroup: -2 }]],
      'pod.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
      'pod.securityContext.runAsGroup: Invalid value: -2: must be between 0 and 2147483647, inclusive',
    ],
  ]);
});

describe('where it may run', () => {
  const required = (...terms: unknown[]): Edit => [
    'pod.affinity',
    { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  ];
  const TERM = 'pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  const PREFERRED = 'pod.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution';
  refuses([
    [
      'a nodeSelector is made of labels',
      [['pod.nodeSelector', { 'a b': 'c d' }]],
      'pod.nodeSelector: Invalid value: "a b": name part must…',
      'pod.nodeSelector: Invalid value: "c d": a valid label must…',
    ],
    [
      'a node has a DNS subdomain for its name',
      [['pod.nodeName', 'A B']],
      'pod.nodeName: Invalid value: "A B": a lowercase RFC 1123 subdomain…',
    ],
    ['no terms', [required()], `${TERM}: Required value: must have at least one node selector term`],
    ['rule 81: an empty term is accepted', [required({})]],
    [
      'rule 81: Gt with a word is accepted',
      [required({ matchExpressions: [{ key: 'a', operator: 'Gt', values: ['many'] }] })],
    ],
    [
      'Gt wants one value',
      [required({ matchExpressions: [{ key: 'a', operator: 'Gt' }] })],
      `${TERM}[0].matchExpressions[0].values: Required value: must be specified single value when \`operator\` is 'Lt' or 'Gt'`,
    ],
    [
      'In wants values',
      [required({ matchExpressions: [{ key: 'a', operator: 'In' }] })],
      `${TERM}[0].matchExpressions[0].values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
    ],
    [
      'an unknown operator',
      [required({ matchExpressions: [{ key: 'a', operator: 'Near' }] })],
      `${TERM}[0].matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator`,
    ],
    [
      'no operator',
      [required({ matchExpressions: [{ key: 'a' }] })],
      `${TERM}[0].matchExpressions[0].operator: Invalid value: "": not a valid selector operator`,
    ],
    [
      'no key',
      [required({ matchExpressions: [{ operator: 'Exists' }] })],
      `${TERM}[0].matchExpressions[0].key: Invalid value: "": name part must be non-empty`,
    ],
    [
      'rule 14: a field other than the name',
      [required({}, { matchFields: [{ key: 'spec.x', operator: 'In', values: ['a'] }] })],
      `${TERM}[1].matchFields[0].key: Invalid value: "spec.x": not a valid field selector key`,
    ],
    [
      'rule 14: two names',
      [required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a', 'b'] }] })],
      `${TERM}[0].matchFields[0].values: Required value: must be only one value when \`operator\` is 'In' or 'NotIn' for node field selector`,
    ],
    [
      'a preference without anything',
      [['pod.affinity', { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{}] } }]],
      `${PREFERRED}[0].weight: Invalid value: 0: must be in the range 1-100`,
    ],
    [
      'a toleration of everything must be Exists',
      [['pod.tolerations', [{}]]],
      'pod.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
    [
      'Exists has no value',
      [['pod.tolerations', [{ key: 'a', operator: 'Exists', value: 'b' }]]],
      'pod.tolerations[0].operator: Invalid value: "Exists": value must be empty when `operator` is \'Exists\'',
    ],
    [
      'seconds are for NoExecute',
      [['pod.tolerations', [{ key: 'a', effect: 'NoSchedule', tolerationSeconds: 5 }]]],
      'pod.tolerations[0].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set',
    ],
    [
      'an unknown operator of a toleration',
      [['pod.tolerations', [{ key: 'a', operator: 'Gt' }]]],
      'pod.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists"',
    ],
    [
      'an unknown effect',
      [['pod.tolerations', [{ key: 'a', effect: 'Sometimes' }]]],
      'pod.tolerations[0].effect: Unsupported value: "Sometimes": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
    ],
  ]);
});

describe('volumes and mounts', () => {
  const volume = (...volumes: unknown[]): Edit => ['pod.volumes', volumes];
  const mount = (...mounts: unknown[]): Edit => ['main.volumeMounts', mounts];
  const V = { name: 'v', hostPath: { path: '/v' } };
  refuses([
    ['a volume needs a name', [volume({ hostPath: { path: '/v' } })], 'pod.volumes[0].name: Required value'],
    [
      'a name is a DNS label',
      [volume({ ...V, name: 'a.b' })],
      'pod.volumes[0].name: Invalid value: "a.b": must not contain dots',
    ],
    ['names differ', [volume(V, V)], 'pod.volumes[1].name: Duplicate value: "v"'],
    [
      'one source',
      [volume({ ...V, emptyDir: {} })],
      'pod.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type',
    ],
    [
      'a hostPath has a path',
      [volume({ name: 'v', hostPath: {} })],
      'pod.volumes[0].hostPath.path: Required value',
    ],
    [
      'that does not climb',
      [volume({ name: 'v', hostPath: { path: '/a/../b' } })],
      'pod.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
    ],
    ['rule 81: a relative one is accepted', [volume({ name: 'v', hostPath: { path: 'a..b/c' } })]],
    [
      'rule 105: a type that there is',
      [volume({ name: 'v', hostPath: { path: '/a', type: 'Dir' } })],
      'pod.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
    ],
    [
      'a ConfigMap, a Secret, and a size that is one',
      [
        volume(
          { name: 'a', configMap: {} },
          { name: 'b', secret: { defaultMode: 512 } },
          { name: 'c', emptyDir: { sizeLimit: '-1' } },
        ),
      ],
      'pod.volumes[0].configMap.name: Required value',
      'pod.volumes[1].secret.secretName: Required value',
      'pod.volumes[1].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive',
      'pod.volumes[2].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity',
    ],
    [
      'items have keys, and paths inside the volume that are not its own',
      [
        volume({
          name: 'a',
          configMap: {
            name: 'c',
            items: [
              { key: '', path: '' },
              { key: 'k', path: '/x' },
              { key: 'k', path: 'a/../x' },
              { key: 'k', path: '..data' },
              { key: 'k', path: 'a/..x', mode: -1 },
            ],
          },
        }),
      ],
      'pod.volumes[0].configMap.items[0].key: Required value',
      'pod.volumes[0].configMap.items[0].path: Required value',
      'pod.volumes[0].configMap.items[1].path: Invalid value: "/x": must be a relative path',
      'pod.volumes[0].configMap.items[2].path: Invalid value: "a/../x": must not contain \'..\'',
      'pod.volumes[0].configMap.items[3].path: Invalid value: "..data": must not start with \'..\'',
      'pod.volumes[0].configMap.items[4].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive',
    ],
    [
      'what the downward API can tell in files, said without the index of the item',
      [
        volume({
          name: 'a',
          downwardAPI: {
            items: [
              { path: 'a' },
              { path: 'b', fieldRef: { fieldPath: 'status.podIP' } },
              { path: 'c', resourceFieldRef: { resource: 'limits.cpu' } },
              { path: 'd', fieldRef: { fieldPath: 'metadata.labels' } },
            ],
          },
        }),
      ],
      'pod.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required',
      'pod.volumes[0].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", …',
      'pod.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value',
    ],
    [
      'sources of one projected volume are of one kind each and do not share paths',
      [
        volume({
          name: 'a',
          projected: {
            sources: [
              { configMap: { name: 'c', items: [{ key: 'k', path: 'p' }] }, secret: { name: 's' } },
              { secret: { name: '', items: [{ key: 'k', path: 'p' }] } },
            ],
          },
        }),
      ],
      'pod.volumes[0].projected.sources[0].secret: Forbidden: may not specify more than 1 volume type per source',
      'pod.volumes[0].projected.sources[1].secret.name: Required value',
      'pod.volumes[0].projected: Invalid value: "": conflicting duplicate paths',
    ],
    [
      'a token says where it goes, and is good for ten minutes at least',
      [
        volume({
          name: 'a',
          projected: {
            sources: [
              { serviceAccountToken: { path: '', expirationSeconds: 599 } },
              { serviceAccountToken: { path: '../t', expirationSeconds: 2 ** 32 + 1 } },
              { serviceAccountToken: { path: 't', expirationSeconds: 600 } },
              { serviceAccountToken: { path: 't' } },
            ],
          },
        }),
      ],
      'pod.volumes[0].projected.sources[0].serviceAccountToken.path: Required value',
      'pod.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
      `pod.volumes[0].projected.sources[1].serviceAccountToken.path: Invalid value: "../t": must not contain '..'`,
      'pod.volumes[0].projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds',
      'pod.volumes[0].projected: Invalid value: "serviceAccountToken": conflicting duplicate paths',
    ],
    [
      'a mount names a volume',
      [mount({ name: 'v', mountPath: '/v' })],
      'main.volumeMounts[0].name: Not found: "v"',
    ],
    [
      'a mount needs name and path',
      [mount({})],
      'main.volumeMounts[0].name: Required value',
      'main.volumeMounts[0].mountPath: Required value',
    ],
    [
      'paths differ',
      [volume(V), mount({ name: 'v', mountPath: '/v' }, { name: 'v', mountPath: '/v' })],
      'main.volumeMounts[1].mountPath: Invalid value: "/v": must be unique',
    ],
    [
      'rule 73: subPath errors lack the index',
      [volume(V), mount({ name: 'v', mountPath: '/a' }, { name: 'v', mountPath: '/v', subPath: '/x' })],
      'main.volumeMounts.subPath: Invalid value: "/x": must be a relative path',
    ],
    [
      'rule 73: and so do those of mountPropagation',
      [volume(V), mount({ name: 'v', mountPath: '/v', mountPropagation: 'Both' })],
      'main.volumeMounts.mountPropagation: Unsupported value: "Both": supported values: "Bidirectional", "HostToContainer", "None"',
    ],
    [
      'Bidirectional is for the privileged',
      [volume(V), mount({ name: 'v', mountPath: '/v', mountPropagation: 'Bidirectional' })],
      'main.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
    ],
    [
      'a recursiveReadOnly that Kubernetes does not know',
      [volume(V), mount({ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly: 'Always' })],
      'main.volumeMounts.recursiveReadOnly: Unsupported value: "Always": supported values: "Disabled", "Enabled", "IfPossible"',
    ],
    [
      'a recursiveReadOnly of a mount that is written to, and of one that others make mounts in',
      [
        volume(V),
        mount({
          name: 'v',
          mountPath: '/v',
          mountPropagation: 'HostToContainer',
          recursiveReadOnly: 'IfPossible',
        }),
      ],
      'main.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true',
      'main.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified',
    ],
  ]);
});

describe('containers', () => {
  const ports = (...list: unknown[]): Edit => ['main.ports', list];
  const probe = (kind: string, value: unknown): Edit => [`main.${kind}Probe`, value];
  const two = (first: object, second: object): Edit => [
    'pod.containers',
    [
      { name: 'main', image: 'web:1', ...first },
      { name: 'other', image: 'web:1', ...second },
    ],
  ];
  const EXEC = { exec: { command: ['true'] } };
  refuses([
    [
      'need a name and an image',
      [['pod.containers', [{}]]],
      'main.name: Required value',
      'main.image: Required value',
    ],
    ['have different names', [two({}, { name: 'main' })], 'other.name: Duplicate value: "main"'],
    [
      'have a DNS label for a name',
      [['main.name', 'Main']],
      'main.name: Invalid value: "Main": a lowercase RFC 1123 label…',
    ],
    [
      'have an image without blanks around it',
      [['main.image', ' web:1']],
      'main.image: Invalid value: " web:1": must not have leading or trailing whitespace',
    ],
    [
      'have a pull policy that there is',
      [['main.imagePullPolicy', 'Sometimes']],
      'main.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ],
    ['a port needs a number', [ports({ name: 'http' })], 'main.ports[0].containerPort: Required value'],
    [
      'a port is below 65536',
      [ports({ containerPort: 65_536 })],
      'main.ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive',
    ],
    [
      'a port speaks a protocol that there is',
      [ports({ containerPort: 1, protocol: 'HTTP' })],
      'main.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      'ports have different names',
      [ports({ name: 'a', containerPort: 1 }, { name: 'a', containerPort: 2 })],
      'main.ports[1].name: Duplicate value: "a"',
    ],
    [
      'rule 77: on the host network a host port is the container port',
      [['pod.hostNetwork', true], ports({ containerPort: 80, hostPort: 8080 })],
      'main.ports[0].hostPort: Invalid value: 8080: must match `containerPort` when `hostNetwork` is true',
    ],
    ['rule 77: or absent', [['pod.hostNetwork', true], ports({ containerPort: 80 })]],
    [
      'rule 78: a host port is taken once in a pod',
      [two({ ports: [{ containerPort: 1, hostPort: 80 }] }, { ports: [{ containerPort: 2, hostPort: 80 }] })],
      'other.ports[0].hostPort: Duplicate value: "TCP//80"',
    ],
    [
      'rule 78: on another address or protocol it is another',
      [
        ports(
          { containerPort: 1, hostPort: 80, hostIP: '0.0.0.0' },
          { containerPort: 1, hostPort: 80, hostIP: '127.0.0.1' },
          { containerPort: 1, hostPort: 80, protocol: 'UDP' },
        ),
      ],
    ],
    [
      'a host address is one',
      [
        ports(
          { containerPort: 1, hostPort: 80, hostIP: 'abc' },
          { containerPort: 1, hostPort: 81, hostIP: '::1' },
          { containerPort: 1, hostPort: 82, hostIP: '10.0.0.256' },
        ),
      ],
      'main.ports[0].hostIP: Invalid value: "abc": must be a valid IP address',
      'main.ports[2].hostIP: Invalid value: "10.0.0.256": must be a valid IP address',
    ],
    ['a variable needs a name', [['main.env', [{ value: 'x' }]]], 'main.env[0].name: Required value'],
    ['rule 80: a name is anything printable without "="', [['main.env', [{ name: '1 (x)/y', value: 'x' }]]]],
    [
      'rule 80: but that',
      [['main.env', [{ name: 'a=b' }, { name: 'é' }]]],
      'main.env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
      'main.env[1].name: Invalid value: "é": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
    ],
    [
      'rule 80: valueFrom has a source',
      [['main.env', [{ name: 'A', valueFrom: {} }]]],
      'main.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
    ],
    [
      'rule 80: and no value beside it',
      [['main.env', [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }]]],
      'main.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ],
    [
      'a field that a pod can tell of itself, in an environment',
      [
        [
          'main.env',
          [
            { name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.labels' } } },
            { name: 'B', valueFrom: { fieldRef: { fieldPath: 'spec.image' } } },
            { name: 'C', valueFrom: { fieldRef: {} } },
            { name: 'D', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a b']" } } },
            { name: 'E', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['Example.org/A']" } } },
          ],
        ],
      ],
      'main.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", …',
      'main.env[1].valueFrom.fieldRef.fieldPath: Invalid value: "spec.image": error converting fieldPath: field label not supported: spec.image',
      'main.env[2].valueFrom.fieldRef.fieldPath: Required value',
      'main.env[3].valueFrom.fieldRef: Invalid value: "a b": name part must consist of…',
    ],
    [
      'a resource and its unit',
      [
        [
          'main.env',
          [
            { name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.gpu' } } },
            { name: 'B', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1Mi' } } },
            { name: 'C', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          ],
        ],
      ],
      'main.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", …',
      'main.env[1].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m, 1 are supported with the cpu resource',
    ],
    [
      'a key of a named object',
      [
        [
          'main.env',
          [
            { name: 'A', valueFrom: { configMapKeyRef: { name: 'a', key: '' } } },
            { name: 'B', valueFrom: { secretKeyRef: { name: 'A_', key: 'k' } } },
            { name: 'C', valueFrom: { secretKeyRef: { name: 'a', key: '../k' } } },
            {
              name: 'D',
              valueFrom: { secretKeyRef: { name: 'a', key: 'k' }, configMapKeyRef: { name: 'a', key: 'k' } },
            },
          ],
        ],
      ],
      'main.env[0].valueFrom.configMapKeyRef.key: Required value',
      'main.env[1].valueFrom.secretKeyRef.name: Invalid value: "A_": a lowercase RFC 1123 subdomain…',
      'main.env[2].valueFrom.secretKeyRef.key: Invalid value: "../k": a valid config key…',
      'main.env[3].valueFrom: Invalid value: "": may not have more than one field specified at a time',
    ],
    [
      'rule 73: envFrom without a source is said without its index',
      [
        [
          'main.envFrom',
          [
            {},
            { configMapRef: {} },
            { secretRef: { name: 'a' }, prefix: 'é' },
            { secretRef: { name: 'a' }, configMapRef: { name: 'a' } },
          ],
        ],
      ],
      'main.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
      'main.envFrom[1].configMapRef.name: Required value',
      'main.envFrom[2].prefix: Invalid value: "é": a valid environment variable name…',
      'main.envFrom: Invalid value: "": may not have more than one field specified at a time',
    ],
    [
      'a probe asks in one way',
      [probe('readiness', {})],
      'main.readinessProbe: Required value: must specify a handler type',
    ],
    [
      'and in one only',
      [probe('readiness', { ...EXEC, tcpSocket: { port: 1 } })],
      'main.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
    ],
    [
      'a command has words',
      [probe('liveness', { exec: {} })],
      'main.livenessProbe.exec.command: Required value',
    ],
    [
      'a probe of HTTP needs a port',
      [probe('liveness', { httpGet: {} })],
      'main.livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
    [
      'that is one',
      [probe('liveness', { tcpSocket: { port: 'HTTP' } })],
      'main.livenessProbe.tcpSocket.port: Invalid value: "HTTP": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ],
    ['rule 81: it need not exist', [probe('liveness', { tcpSocket: { port: 'nowhere' } })]],
    [
      'a scheme that there is',
      [probe('liveness', { httpGet: { port: 1, scheme: 'http' } })],
      'main.livenessProbe.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS"',
    ],
    [
      'rule 79: liveness succeeds at once',
      [probe('liveness', { ...EXEC, successThreshold: 2 })],
      'main.livenessProbe.successThreshold: Invalid value: 2: must be 1',
    ],
    [
      'rule 79: startup too',
      [probe('startup', { ...EXEC, successThreshold: 2 })],
      'main.startupProbe.successThreshold: Invalid value: 2: must be 1',
    ],
    ['rule 79: readiness need not', [probe('readiness', { ...EXEC, successThreshold: 2 })]],
    [
      'rule 79: readiness ends nothing',
      [probe('readiness', { ...EXEC, terminationGracePeriodSeconds: 5 })],
      'main.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes',
    ],
    [
      'numbers of a probe are not negative',
      [probe('readiness', { ...EXEC, periodSeconds: -1, initialDelaySeconds: -1 })],
      'main.readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0',
      'main.readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'a hook does one thing',
      [['main.lifecycle', { preStop: { ...EXEC, sleep: { seconds: 1 } }, postStart: {} }]],
      'main.lifecycle.postStart: Required value: must specify a handler type',
      'main.lifecycle.preStop.sleep: Forbidden: may not specify more than 1 handler type',
    ],
    [
      'privileged is the opposite of no escalation',
      [['main.securityContext', { privileged: true, allowPrivilegeEscalation: false }]],
      'main.securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
    ],
    [
      'and so is CAP_SYS_ADMIN',
      [['main.securityContext', { capabilities: { add: ['SYS_ADMIN'] }, allowPrivilegeEscalation: false }]],
      'main.securityContext: Invalid value: {"allowPrivilegeEscalation":false,"capabilities":{"add":["SYS_ADMIN"]}}: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
    ],
  ]);
});

describe('rule 83: resources', () => {
  const resources = (limits: object, requests: object = {}): Edit => ['main.resources', { limits, requests }];
  refuses([
    [
      'a request within its limit',
      [resources({ cpu: '1', memory: '1Gi' }, { cpu: '1000m', memory: '64Mi' })],
    ],
    [
      'above it, named without the key',
      [resources({ cpu: '1' }, { cpu: '1500m' })],
      'main.resources.requests: Invalid value: "1500m": must be less than or equal to cpu limit of 1',
    ],
    [
      'less than nothing',
      [resources({ memory: '-1' })],
      'main.resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      'of a kind that there is',
      [resources({ disk: '1' })],
      'main.resources.limits[disk]: Invalid value: "disk": must be a standard resource type or fully qualified',
    ],
    [
      'extended ones are whole',
      [resources({ 'x.io/gpu': '500m' })],
      'main.resources.limits[x.io/gpu]: Invalid value: "500m": must be an integer',
    ],
    [
      'extended ones are requested whole',
      [resources({ 'x.io/gpu': '2' }, { 'x.io/gpu': '1' })],
      'main.resources.requests: Invalid value: "1": must be equal to x.io/gpu limit of 2',
    ],
    [
      'extended ones have a limit',
      [resources({}, { 'x.io/gpu': '1' })],
      'main.resources.limits: Required value: Limit must be set for non overcommitable resources',
    ],
    ['extended ones may be right', [resources({ 'x.io/gpu': '2' }, { 'x.io/gpu': '2' })]],
  ]);
});

test('all errors at once, each with its reason', () => {
  const errors = validateDaemonSet(
    readDaemonSet(
      edited(MINIMAL, [
        ['metadata.name', 'X'],
        ['spec.selector', {}],
        ['pod.restartPolicy', 'Never'],
        ['main.image', ''],
        ['main.volumeMounts', [{ name: 'v', mountPath: '/v' }]],
        ['pod.activeDeadlineSeconds', 1],
        [
          'pod.volumes',
          [
            { name: 'a', emptyDir: {} },
            { name: 'a', emptyDir: {} },
          ],
        ],
      ]),
    ),
  );
  expect(Object.fromEntries(errors.map(({ field, reason }) => [field, reason]))).toEqual({
    'metadata.name': 'FieldValueInvalid',
    'spec.selector': 'FieldValueInvalid',
    'spec.template.spec.volumes[1].name': 'FieldValueDuplicate',
    'spec.template.spec.containers[0].image': 'FieldValueRequired',
    'spec.template.spec.containers[0].volumeMounts[0].name': 'FieldValueNotFound',
    'spec.template.spec.restartPolicy': 'FieldValueNotSupported',
    'spec.template.spec.activeDeadlineSeconds': 'FieldValueForbidden',
  });
});

test('whatever could be read can be judged: nothing throws', () => {
  holds(
    fc.property(fc.oneof(arbitraryOf(daemonSet, 6), fc.jsonValue()), (json) => {
      const { value } = decode(daemonSet, json);
      if (value === undefined) return;
      const given = defaultDaemonSet(value as DaemonSet);
      for (const { field, message } of [...validateDaemonSet(given), ...findUnsupported(given).refused]) {
        expect(field).not.toMatch(/undefined|null/);
        expect(message).not.toMatch(/undefined/);
      }
    }),
    600,
  );
});
