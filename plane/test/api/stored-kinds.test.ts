// Kinds that are kept for those who write and read them (Service, Endpoints, EndpointSlice, PriorityClass, Lease,
// events of events.k8s.io): defaults, rules, what kubectl prints, and the warning that nothing comes of them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE, TABLE } from '../support/api-client.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const SERVICES = '/api/v1/namespaces/default/services';
const ENDPOINTS = '/api/v1/namespaces/default/endpoints';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const CORE_EVENTS = '/api/v1/namespaces/default/events';
const NEW_EVENTS = '/apis/events.k8s.io/v1/namespaces/default/events';

let count = 0;
const fresh = () => `o${++count}`;
const service = (spec: Json): Json => ({ metadata: { name: fresh() }, spec });

/** Made, read as a table, and removed. */
async function cellsOf(path: string, object: Json): Promise<Json> {
  const { metadata } = await plane.api.ok('POST', path, object);
  const shown = await plane.api.ok('GET', `${path}/${metadata.name}`, undefined, {
    headers: { Accept: TABLE },
  });
  await plane.api.ok('DELETE', `${path}/${metadata.name}`);
  const names = shown.columnDefinitions.map(({ name }: Json) => name);
  return Object.fromEntries(shown.rows[0].cells.map((cell: Json, index: number) => [names[index], cell]));
}

const WARNED: [string, string, Json, RegExp][] = [
  ['Service', SERVICES, { spec: { ports: [{ port: 80 }] } }, /no traffic is routed by it/],
  ['Endpoints', ENDPOINTS, { subsets: [{ addresses: [{ ip: '10.0.0.1' }] }] }, /nobody keeps them/],
  [
    'EndpointSlice',
    SLICES,
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }] },
    /nobody keeps it/,
  ],
  ['PriorityClass', CLASSES, { value: 1 }, /no pod has to make room/],
  [
    'Lease',
    '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
    { spec: {} },
    /told by its agent alone/,
  ],
];

describe('what is stored and not acted on', () => {
  it.each(WARNED)('says so: %s', async (kind, path, body, so) => {
    const name = fresh();
    const reply = await plane.api.call('POST', path, { metadata: { name }, ...body });
    expect(reply.status).toBe(201);
    expect(reply.headers.warning).toMatch(
      new RegExp(`^299 - "${kind} is stored, but fleetset does not act on it`),
    );
    expect(reply.headers.warning).toMatch(so);
    expect((await plane.api.call('GET', `${path}/${name}`)).headers).not.toHaveProperty('warning');
    await plane.api.ok('DELETE', `${path}/${name}`);
  });

  it('is told of a lease for leader election to nobody: that works', async () => {
    const reply = await plane.api.call('POST', LEASES, {
      metadata: { name: fresh() },
      spec: { holderIdentity: 'a' },
    });
    expect(reply.headers).not.toHaveProperty('warning');
  });
});

describe('a Service', () => {
  it('gets the defaults that Kubernetes fills in', async () => {
    const made = await plane.api.ok(
      'POST',
      SERVICES,
      service({ ports: [{ port: 80 }], sessionAffinity: 'ClientIP' }),
    );
    expect(made.spec).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
      internalTrafficPolicy: 'Cluster',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    expect(made.status).toEqual({ loadBalancer: {} });
  });

  it('keeps the address that it was given, also when it is replaced by one that does not say it', async () => {
    const made = await plane.api.ok('POST', SERVICES, service({ clusterIP: 'None' }));
    const { name } = made.metadata;
    const replaced = await plane.api.ok('PUT', `${SERVICES}/${name}`, {
      metadata: { name },
      spec: { selector: { a: 'b' } },
    });
    expect(replaced.spec.clusterIP).toBe('None');
    const changed = await plane.api.call(
      'PATCH',
      `${SERVICES}/${name}`,
      { spec: { clusterIP: '10.0.0.1' } },
      { type: MERGE },
    );
    expect(changed.json.details.causes).toEqual(
      [
        {
          reason: 'FieldValueInvalid',
          field: 'spec.clusterIPs[0]',
          message: 'Invalid value: "10.0.0.1": field is immutable',
        },
        { reason: 'FieldValueRequired', field: 'spec.ports', message: 'Required value' },
      ].reverse(),
    );
  });

  it('has a status that only its subresource writes', async () => {
    const { metadata } = await plane.api.ok(
      'POST',
      SERVICES,
      service({ type: 'LoadBalancer', ports: [{ port: 80 }] }),
    );
    const path = `${SERVICES}/${metadata.name}`;
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
    const ignored = await plane.api.ok('PATCH', path, { status }, { type: MERGE });
    expect(ignored.status).toEqual({ loadBalancer: {} });
    const written = await plane.api.ok(
      'PATCH',
      `${path}/status?fieldManager=balancer`,
      { status, spec: { type: 'ClusterIP' } },
      { type: MERGE },
    );
    expect(written).toMatchObject({ status, spec: { type: 'LoadBalancer' } });
    expect(written.metadata.managedFields).toContainEqual(
      expect.objectContaining({
        manager: 'balancer',
        subresource: 'status',
        fieldsV1: { 'f:status': { 'f:loadBalancer': { 'f:ingress': {} } } },
      }),
    );
  });

  it.each([
    [{}, 'spec.ports: Required value'],
    [
      { ports: [{ port: 0 }] },
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
    [{ ports: [{ port: 1 }, { port: 2, name: 'b' }] }, 'spec.ports[0].name: Required value'],
    [
      {
        ports: [
          { port: 1, name: 'a' },
          { port: 1, name: 'a' },
        ],
      },
      'spec.ports[1].name: Duplicate value: "a"',
    ],
    [{ type: 'Odd', ports: [{ port: 1 }] }, 'spec.type: Unsupported value: "Odd"'],
    [{ type: 'ExternalName' }, 'spec.externalName: Required value'],
    [{ ports: [{ port: 1, protocol: 'X' }] }, 'spec.ports[0].protocol: Unsupported value: "X"'],
    [{ ports: [{ port: 1, targetPort: 'a--b' }] }, 'must not contain consecutive hyphens'],
  ])('with %j is refused: %s', async (spec, why) => {
    const reply = await plane.api.call('POST', SERVICES, service(spec));
    expect(reply.status).toBe(422);
    expect(reply.json.message).toContain(why);
  });

  it('whose name is no name of DNS is refused', async () => {
    const reply = await plane.api.call('POST', SERVICES, {
      metadata: { name: '1a' },
      spec: { ports: [{ port: 1 }] },
    });
    expect(reply.json.message).toContain('a DNS-1035 label must consist of');
  });

  it('is printed as kubectl users know it', async () => {
    expect(
      await cellsOf(
        SERVICES,
        service({
          ports: [
            { port: 80, nodePort: 30080 },
            { port: 53, protocol: 'UDP', name: 'd' },
          ].map((port, index) => ({ name: `p${index}`, ...port })),
          type: 'NodePort',
          selector: { b: '1', a: '2' },
        }),
      ),
    ).toMatchObject({
      Type: 'NodePort',
      'Cluster-IP': '<none>',
      'External-IP': '<none>',
      'Port(s)': '80:30080/TCP,53/UDP',
      Selector: 'a=2,b=1',
    });
    expect(await cellsOf(SERVICES, service({ type: 'LoadBalancer', ports: [{ port: 1 }] }))).toMatchObject({
      'External-IP': '<pending>',
    });
    expect(
      await cellsOf(SERVICES, service({ type: 'ExternalName', externalName: 'a.example' })),
    ).toMatchObject({
      'External-IP': 'a.example',
      'Port(s)': '<none>',
    });
  });
});

describe('Endpoints and EndpointSlices', () => {
  it('are printed with the first three addresses', async () => {
    const addresses = ['10.0.0.1', '10.0.0.2', '2001:db8::1', '10.0.0.4'].map((ip) => ({ ip }));
    expect(
      await cellsOf(ENDPOINTS, {
        metadata: { name: fresh() },
        subsets: [{ addresses, ports: [{ port: 80 }] }],
      }),
    ).toMatchObject({ Endpoints: '10.0.0.1:80,10.0.0.2:80,[2001:db8::1]:80 + 1 more...' });
    expect(await cellsOf(ENDPOINTS, { metadata: { name: fresh() } })).toMatchObject({ Endpoints: '<none>' });
    expect(
      await cellsOf(SLICES, {
        metadata: { name: fresh() },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.0.0.1'] }],
        ports: [{ port: 80 }, { name: 'any' }],
      }),
    ).toMatchObject({ AddressType: 'IPv4', Ports: '80,any', Endpoints: '10.0.0.1' });
    expect(
      await cellsOf(SLICES, { metadata: { name: fresh() }, addressType: 'IPv4', endpoints: [] }),
    ).toMatchObject({ Ports: '<unset>', Endpoints: '<unset>' });
  });

  it.each([
    [ENDPOINTS, { subsets: [{ ports: [{ port: 80 }] }] }, 'must specify `addresses` or `notReadyAddresses`'],
    [
      ENDPOINTS,
      { subsets: [{ addresses: [{ ip: 'x' }] }] },
      'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address',
    ],
    [SLICES, { endpoints: [] }, 'addressType: Required value'],
    [
      SLICES,
      { addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3'] }] },
      'endpoints[0].addresses[0]: Invalid value: "1.2.3"',
    ],
    [SLICES, { addressType: 'IPv4', endpoints: [{}] }, 'endpoints[0].addresses: Required value'],
  ])('%s with %j is refused: %s', async (path, body, why) => {
    const reply = await plane.api.call('POST', path, { metadata: { name: fresh() }, ...body });
    expect(reply.status).toBe(422);
    expect(reply.json.message).toContain(why);
  });

  it('of another address type are other ones', async () => {
    const { metadata } = await plane.api.ok('POST', SLICES, {
      metadata: { name: fresh() },
      addressType: 'IPv4',
      endpoints: [],
    });
    const reply = await plane.api.call(
      'PATCH',
      `${SLICES}/${metadata.name}`,
      { addressType: 'IPv6' },
      { type: MERGE },
    );
    expect(reply.json.message).toContain('addressType: Invalid value: "IPv6": field is immutable');
  });
});

describe('a PriorityClass', () => {
  it('keeps its value, and a higher generation counts its changes', async () => {
    const { metadata, preemptionPolicy } = await plane.api.ok('POST', CLASSES, {
      metadata: { name: fresh() },
      value: 7,
    });
    expect([metadata.generation, preemptionPolicy]).toEqual([1, 'PreemptLowerPriority']);
    const path = `${CLASSES}/${metadata.name}`;
    const reply = await plane.api.call('PATCH', path, { value: 8 }, { type: MERGE });
    expect(reply.json.message).toContain('value: Forbidden: may not be changed in an update.');
    const labelled = await plane.api.ok('PATCH', path, { metadata: { labels: { a: 'b' } } }, { type: MERGE });
    expect(labelled.metadata.generation).toBe(1);
    const described = await plane.api.ok('PATCH', path, { description: 'x' }, { type: MERGE });
    expect(described.metadata.generation).toBe(2);
  });

  it.each([
    [{ metadata: { name: 'system-mine' }, value: 1 }, 'are reserved for system use only'],
    [
      { metadata: { name: 'high' }, value: 1_000_000_001 },
      'maximum allowed value of a user defined priority',
    ],
    [
      { metadata: { name: 'odd' }, value: 1, preemptionPolicy: 'Odd' },
      'preemptionPolicy: Unsupported value: "Odd"',
    ],
  ])('%j is refused: %s', async (body, why) => {
    expect((await plane.api.call('POST', CLASSES, body)).json.message).toContain(why);
  });
});

describe('an event', () => {
  const core = (name: string): Json => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'R',
    message: 'what happened',
    source: { component: 'agent', host: 'n' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:01:00Z',
    count: 2,
    type: 'Normal',
  });

  it('is one, in two forms: made in one, read, selected, changed and deleted in the other', async () => {
    const name = fresh();
    const watch = await plane.api.watch(`${NEW_EVENTS}?watch=true&fieldSelector=regarding.name%3Dp`);
    const made = await plane.api.ok('POST', CORE_EVENTS, core(name));
    const other = await plane.api.ok('GET', `${NEW_EVENTS}/${name}`);
    expect(other).toMatchObject({
      kind: 'Event',
      apiVersion: 'events.k8s.io/v1',
      metadata: { uid: made.metadata.uid, resourceVersion: made.metadata.resourceVersion },
      regarding: { kind: 'Pod', name: 'p' },
      note: 'what happened',
      deprecatedSource: { component: 'agent', host: 'n' },
      deprecatedCount: 2,
    });
    expect(other).not.toHaveProperty('involvedObject');
    const added = await watch.next('it', ({ object }) => object.metadata.name === name);
    expect(added).toMatchObject({
      type: 'ADDED',
      object: { apiVersion: 'events.k8s.io/v1', note: 'what happened' },
    });
    await plane.api.ok('PATCH', `${NEW_EVENTS}/${name}`, { note: 'more' }, { type: MERGE });
    expect(await plane.api.ok('GET', `${CORE_EVENTS}/${name}`)).toMatchObject({
      apiVersion: 'v1',
      message: 'more',
    });
    const listed = await plane.api.ok('GET', `${NEW_EVENTS}?fieldSelector=reason%3DR`);
    expect(listed).toMatchObject({ kind: 'EventList', apiVersion: 'events.k8s.io/v1' });
    expect(listed.items.map(({ metadata }: Json) => metadata.name)).toContain(name);
    await plane.api.ok('DELETE', `${NEW_EVENTS}/${name}`);
    expect((await plane.api.call('GET', `${CORE_EVENTS}/${name}`)).status).toBe(404);
    expect(await watch.next('its end', ({ type }) => type === 'DELETED')).toMatchObject({
      object: { apiVersion: 'events.k8s.io/v1' },
    });
    watch.close();
  });

  it('is told in the namespace of what it is about', async () => {
    const eventTime = '2026-01-01T00:00:00.000000Z';
    const told = async (namespace: string, about: string, more: Json = {}) => {
      const involvedObject = { kind: 'Pod', name: 'p', ...(about ? { namespace: about } : {}) };
      const event = { metadata: { name: fresh() }, involvedObject, ...more };
      const reply = await plane.api.call('POST', `/api/v1/namespaces/${namespace}/events`, event);
      return reply.status === 422 ? reply.json.details.causes : reply.status;
    };
    const refused = (value: string) => [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: "${value}": does not match event.namespace`,
        field: 'involvedObject.namespace',
      },
    ];
    expect(await told('default', 'default')).toBe(201);
    expect(await told('default', 'kube-system')).toEqual(refused('kube-system'));
    expect(await told('default', '')).toBe(201);
    expect(await told('kube-system', '')).toEqual(refused(''));
    expect(await told('kube-system', '', { eventTime })).toBe(201);
    expect(await told('kube-public', '', { eventTime })).toEqual(refused(''));
  });

  it('of events.k8s.io must say when, who, what and why', async () => {
    const reply = await plane.api.call('POST', NEW_EVENTS, { metadata: { name: fresh() }, type: 'Normal' });
    expect(reply.json.details.causes.map(({ field }: Json) => field)).toEqual([
      'eventTime',
      'reportingController',
      'reportingInstance',
      'action',
      'reason',
    ]);
  });
});
