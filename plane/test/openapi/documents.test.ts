// What kubectl validates, explains and patches by: both OpenAPI documents (contract b.2), and in them the merge keys
// of contract b.9.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { decodeOpenApiV2 } from '../support/openapi-v2.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
/** Definitions of all v3 documents by their last name, and their paths. */
const schemas = new Map<string, Json>();
const pathsV3 = new Map<string, Json>();
let v2: Json;
const schemasV2 = new Map<string, Json>();

/** Two groups have an Event. */
const lastName = (name: string): string =>
  name.startsWith('io.k8s.api.events.') ? name : (name.split('.').at(-1) ?? '');
/** Extensions are YAML; here all of it is JSON. */
const extensionsOf = (schema: Json): Json =>
  Object.fromEntries(
    (schema.extensions ?? []).map(({ name, value }: Json) => [name, JSON.parse(value.yaml)]),
  );
const propertiesOf = (schema: Json): Map<string, Json> =>
  new Map((schema.properties?.entries ?? []).map(({ name, value }: Json) => [name, value]));

beforeAll(async () => {
  plane = await startTestPlane();
  const index = await plane.api.ok('GET', '/openapi/v3?timeout=32s');
  for (const { serverRelativeURL } of Object.values(index.paths) as Json[]) {
    const { components, paths } = await plane.api.ok('GET', serverRelativeURL);
    for (const [name, schema] of Object.entries(components.schemas)) schemas.set(lastName(name), schema);
    for (const [path, item] of Object.entries(paths)) pathsV3.set(path, item);
  }
  const reply = await plane.api.call('GET', '/openapi/v2?timeout=32s', undefined, {
    headers: { Accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' },
  });
  v2 = decodeOpenApiV2(reply.bytes);
  for (const { name, value } of v2.definitions.entries) schemasV2.set(lastName(name), value);
});
afterAll(() => plane.stop());

/** Contract b.9: where, the key, the strategy, and the keys of server-side apply (`set`: a list of values). */
const MERGED: [string, string, string | undefined, string, string[] | 'set'][] = [
  ['PodSpec', 'containers', 'name', 'merge', ['name']],
  ['PodSpec', 'initContainers', 'name', 'merge', ['name']],
  ['PodSpec', 'ephemeralContainers', 'name', 'merge', ['name']],
  ['Container', 'env', 'name', 'merge', ['name']],
  ['Container', 'volumeMounts', 'mountPath', 'merge', ['mountPath']],
  ['Container', 'volumeDevices', 'devicePath', 'merge', ['devicePath']],
  ['Container', 'ports', 'containerPort', 'merge', ['containerPort', 'protocol']],
  ['PodSpec', 'volumes', 'name', 'merge,retainKeys', ['name']],
  ['PodSpec', 'imagePullSecrets', 'name', 'merge', ['name']],
  ['PodSpec', 'hostAliases', 'ip', 'merge', ['ip']],
  ['PodSpec', 'topologySpreadConstraints', 'topologyKey', 'merge', ['topologyKey', 'whenUnsatisfiable']],
  ['PodSpec', 'resourceClaims', 'name', 'merge,retainKeys', ['name']],
  ['PodSpec', 'schedulingGates', 'name', 'merge', ['name']],
  ['PodStatus', 'conditions', 'type', 'merge', ['type']],
  ['DaemonSetStatus', 'conditions', 'type', 'merge', ['type']],
  ['NodeStatus', 'conditions', 'type', 'merge', ['type']],
  ['NamespaceStatus', 'conditions', 'type', 'merge', ['type']],
  ['NodeStatus', 'addresses', 'type', 'merge', ['type']],
  ['PodStatus', 'podIPs', 'ip', 'merge', ['ip']],
  ['ServiceSpec', 'ports', 'port', 'merge', ['port', 'protocol']],
  ['ServiceStatus', 'conditions', 'type', 'merge', ['type']],
  ['ObjectMeta', 'ownerReferences', 'uid', 'merge', ['uid']],
  ['ObjectMeta', 'finalizers', undefined, 'merge', 'set'],
  ['NodeSpec', 'podCIDRs', undefined, 'merge', 'set'],
  ['ServiceAccount', 'secrets', 'name', 'merge', ['name']],
];

/** Replaced whole. */
const ATOMIC: [string, string][] = [
  ['PodSpec', 'tolerations'],
  ['NodeSpec', 'taints'],
  ['Container', 'command'],
  ['Container', 'args'],
  ['Container', 'envFrom'],
  ['PodSpec', 'readinessGates'],
  ['NodeSelector', 'nodeSelectorTerms'],
  ['NodeSelectorTerm', 'matchExpressions'],
  ['LabelSelector', 'matchExpressions'],
  ['ConfigMapVolumeSource', 'items'],
  ['ProjectedVolumeSource', 'sources'],
  ['Capabilities', 'add'],
  ['Capabilities', 'drop'],
  ['PodSecurityContext', 'sysctls'],
  ['PodStatus', 'containerStatuses'],
  ['NamespaceSpec', 'finalizers'],
];

describe('the merge keys of contract b.9', () => {
  it.each(MERGED)('%s.%s by %s, strategy %s', (definition, field, key, strategy, keys) => {
    const forms = [
      schemas.get(definition)?.properties[field],
      extensionsOf(propertiesOf(schemasV2.get(definition)).get(field)),
    ];
    for (const form of forms) {
      expect(form['x-kubernetes-patch-merge-key']).toBe(key);
      expect(form['x-kubernetes-patch-strategy']).toBe(strategy);
      expect(form['x-kubernetes-list-type']).toBe(keys === 'set' ? 'set' : 'map');
      expect(form['x-kubernetes-list-map-keys']).toEqual(keys === 'set' ? undefined : keys);
    }
  });

  it.each(ATOMIC)('%s.%s is replaced whole', (definition, field) => {
    const v3 = schemas.get(definition)?.properties[field];
    expect(v3.type).toBe('array');
    expect(v3).not.toHaveProperty('x-kubernetes-patch-merge-key');
    expect(v3).not.toHaveProperty('x-kubernetes-patch-strategy');
    expect(extensionsOf(propertiesOf(schemasV2.get(definition)).get(field))).not.toHaveProperty(
      'x-kubernetes-patch-strategy',
    );
  });

  it('are all that there are: no other list merges', () => {
    const known = new Set(MERGED.map(([definition, field]) => `${definition}.${field}`));
    // The same fields in the one kind of container that has its own definition.
    for (const field of ['env', 'volumeMounts', 'volumeDevices', 'ports'])
      known.add(`EphemeralContainer.${field}`);
    const merging: string[] = [];
    for (const [definition, schema] of schemas)
      for (const [field, property] of Object.entries<Json>(schema.properties ?? {}))
        if (property['x-kubernetes-patch-strategy'] !== undefined) merging.push(`${definition}.${field}`);
    expect(merging.filter((one) => !known.has(one))).toEqual([]);
  });
});

const KINDS: [kind: string, group: string, path: string, verbs: string][] = [
  ['Namespace', '', '/api/v1/namespaces', 'get post put patch delete'],
  ['Node', '', '/api/v1/nodes', 'get put patch delete'],
  ['Pod', '', '/api/v1/namespaces/{namespace}/pods', 'get delete'],
  ['ConfigMap', '', '/api/v1/namespaces/{namespace}/configmaps', 'get post put patch delete'],
  ['Secret', '', '/api/v1/namespaces/{namespace}/secrets', 'get post put patch delete'],
  ['Event', '', '/api/v1/namespaces/{namespace}/events', 'get post put patch delete'],
  ['Service', '', '/api/v1/namespaces/{namespace}/services', 'get post put patch delete'],
  ['Endpoints', '', '/api/v1/namespaces/{namespace}/endpoints', 'get post put patch delete'],
  [
    'EndpointSlice',
    'discovery.k8s.io',
    '/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices',
    'get post put patch delete',
  ],
  [
    'Lease',
    'coordination.k8s.io',
    '/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases',
    'get post put patch delete',
  ],
  [
    'PriorityClass',
    'scheduling.k8s.io',
    '/apis/scheduling.k8s.io/v1/priorityclasses',
    'get post put patch delete',
  ],
  ['DaemonSet', 'apps', '/apis/apps/v1/namespaces/{namespace}/daemonsets', 'get post put patch delete'],
  ['ControllerRevision', 'apps', '/apis/apps/v1/namespaces/{namespace}/controllerrevisions', 'get delete'],
];

describe.each(KINDS)('%s', (kind, group, path, verbs) => {
  const gvk = { group, version: 'v1', kind };

  it('has the operations it is served with, marked with its kind, in both documents', () => {
    const v3 = { ...pathsV3.get(path), ...pathsV3.get(`${path}/{name}`) };
    const entries = new Map<string, Json>(v2.paths.entries.map(({ name, value }: Json) => [name, value]));
    const second = { ...entries.get(path), ...entries.get(`${path}/{name}`) };
    for (const document of [v3, second])
      expect(
        Object.keys(document)
          .filter((key) => key !== 'parameters')
          .sort(),
      ).toEqual(verbs.split(' ').sort());
    for (const verb of verbs.split(' ')) {
      expect(v3[verb]['x-kubernetes-group-version-kind']).toEqual(gvk);
      expect(extensionsOf(second[verb])['x-kubernetes-group-version-kind']).toEqual(gvk);
    }
  });

  it('can be patched in the forms that are served, with the parameters kubectl looks for', () => {
    if (!verbs.includes('patch')) return;
    const v3 = pathsV3.get(`${path}/{name}`).patch;
    expect(Object.keys(v3.requestBody.content).sort()).toEqual([
      'application/apply-patch+yaml',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
    ]);
    const query = v3.parameters
      .filter(({ in: place }: Json) => place === 'query')
      .map(({ name }: Json) => name);
    expect(query).toEqual(expect.arrayContaining(['dryRun', 'fieldValidation', 'fieldManager']));
    const item = v2.paths.entries.find(({ name }: Json) => name === `${path}/{name}`).value;
    expect(item.patch.consumes).toContain('application/strategic-merge-patch+json');
    const names = item.patch.parameters.map(
      ({ parameter }: Json) => parameter.body?.name ?? parameter.nonBody.query.name,
    );
    expect(names).toEqual(expect.arrayContaining(['body', 'dryRun', 'fieldValidation']));
    expect(item.parameters.map(({ parameter }: Json) => parameter.nonBody.path.name)).toContain('name');
  });

  it('has a definition that names it, and its list', () => {
    expect(schemas.get(kind)['x-kubernetes-group-version-kind']).toEqual([gvk]);
    expect(extensionsOf(schemasV2.get(kind))['x-kubernetes-group-version-kind']).toEqual([gvk]);
    const list = [{ ...gvk, kind: `${kind}List` }];
    expect(schemas.get(`${kind}List`)['x-kubernetes-group-version-kind']).toEqual(list);
    expect(extensionsOf(schemasV2.get(`${kind}List`))['x-kubernetes-group-version-kind']).toEqual(list);
  });
});

/** Every `$ref` or `ref` in a value. */
function refsIn(value: Json, into = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return into;
  for (const [key, item] of Object.entries(value)) {
    if ((key === '$ref' || key === 'ref') && typeof item === 'string') into.add(item);
    else refsIn(item, into);
  }
  return into;
}

describe('the documents', () => {
  it('of v3 are closed: each names every definition it refers to', async () => {
    const { paths } = await plane.api.ok('GET', '/openapi/v3');
    expect(Object.keys(paths).sort()).toEqual([
      'api/v1',
      'apis/apps/v1',
      'apis/authentication.k8s.io/v1',
      'apis/authorization.k8s.io/v1',
      'apis/coordination.k8s.io/v1',
      'apis/discovery.k8s.io/v1',
      'apis/events.k8s.io/v1',
      'apis/fleetset.dev/v1',
      'apis/metrics.k8s.io/v1beta1',
      'apis/rbac.authorization.k8s.io/v1',
      'apis/scheduling.k8s.io/v1',
    ]);
    for (const { serverRelativeURL } of Object.values(paths) as Json[]) {
      const document = await plane.api.ok('GET', serverRelativeURL);
      expect(document.openapi).toBe('3.0.0');
      const defined = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
      expect([...refsIn(document)].filter((ref) => !defined.includes(ref))).toEqual([]);
    }
  });

  // Seen failing when a `$ref` is left out of writeSchema(): kubectl 1.20 crashed over such a document.
  it('of v2 are closed, and say the same as v3', () => {
    expect(v2.swagger).toBe('2.0');
    const defined = v2.definitions.entries.map(({ name }: Json) => `#/definitions/${name}`);
    const refs = [...refsIn(v2)];
    expect(refs.length).toBeGreaterThan(50);
    expect(refs.filter((ref) => !defined.includes(ref))).toEqual([]);
    expect([...schemasV2.keys()].sort()).toEqual([...schemas.keys()].sort());
    for (const [name, schema] of schemas) {
      const second = schemasV2.get(name);
      const properties = propertiesOf(second);
      expect([...properties.keys()], name).toEqual(Object.keys(schema.properties ?? {}));
      expect(second.required ?? [], name).toEqual(schema.required ?? []);
      for (const [field, property] of Object.entries<Json>(schema.properties ?? {})) {
        const other = properties.get(field);
        expect(other.type?.value[0], `${name}.${field}`).toBe(property.type);
        expect(lastName(other.ref ?? ''), `${name}.${field}`).toBe(lastName(property.$ref ?? ''));
        expect(other.format, `${name}.${field}`).toBe(property.format);
        expect(lastName(other.items?.schema[0].ref ?? '')).toBe(lastName(property.items?.$ref ?? ''));
      }
    }
  });

  it('give every property a type or a reference, and a description, as `explain` wants them', () => {
    for (const [name, schema] of schemas)
      for (const [field, property] of Object.entries<Json>(schema.properties ?? {})) {
        expect(property.type ?? property.$ref, `${name}.${field}`).toBeDefined();
        expect(property.description, `${name}.${field}`).toBeTruthy();
        if (property.type === 'array') expect(property.items, `${name}.${field}`).toBeDefined();
      }
  });

  it('of v3 are named with a hash that changes only with them, and serve without it too', async () => {
    const first = await plane.api.ok('GET', '/openapi/v3');
    expect(await plane.api.ok('GET', '/openapi/v3')).toEqual(first);
    const url = first.paths['apis/apps/v1'].serverRelativeURL as string;
    expect(url).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{32}$/);
    const hashed = await plane.api.call('GET', url);
    expect(hashed.headers['content-type']).toBe('application/json');
    expect((await plane.api.call('GET', '/openapi/v3/apis/apps/v1')).text).toBe(hashed.text);
    expect((await plane.api.call('GET', '/openapi/v3/apis/batch/v1')).status).toBe(404);
  });

  it.each(['/openapi/v2', '/openapi/v3', '/openapi/v3/apis/apps/v1'])(
    '%s is not sent again to who has it',
    async (path) => {
      const ask = (ifNoneMatch: string) =>
        plane.api.call('GET', path, undefined, { headers: { 'If-None-Match': ifNoneMatch } });
      const first = await plane.api.call('GET', path);
      const etag = first.headers.etag ?? '';
      expect(etag).toMatch(/^"[0-9A-F]{32}"$/);
      for (const held of [etag, `"other", W/${etag}`, '*']) {
        const { status, bytes, headers } = await ask(held);
        expect([status, bytes.length, headers.etag, headers.vary]).toEqual([304, 0, etag, 'Accept']);
      }
      const again = await ask('"other"');
      expect([again.status, again.headers.etag]).toEqual([200, etag]);
      expect(again.bytes.equals(first.bytes)).toBe(true);
    },
  );

  it('of v2 are never JSON, whatever is asked for', async () => {
    const reply = await plane.api.call('GET', '/openapi/v2', undefined, {
      headers: { Accept: 'application/json' },
    });
    expect(reply.headers['content-type']).toBe('application/octet-stream');
    expect(decodeOpenApiV2(reply.bytes).swagger).toBe('2.0');
  });
});
