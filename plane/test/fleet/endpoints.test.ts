// Services with a selector: their Endpoints and EndpointSlices follow the pods that nodes report.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { joinMember } from '../support/hollow-member.ts';
import { daemonSet } from '../support/manifests.ts';
import { placement, podReport, podStatus } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

let count = 0;
/** A namespace with a Service, a DaemonSet behind it, and a node that has yet to report a pod. */
async function stage(spec: Json = {}) {
  const namespace = `e${++count}`;
  const core = `/api/v1/namespaces/${namespace}`;
  await plane.api.ok('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  const sets = `/apis/apps/v1/namespaces/${namespace}/daemonsets`;
  const pod = {
    containers: [{ name: 'main', image: 'i:1', ports: [{ name: 'http', containerPort: 8080 }] }],
  };
  const set = await plane.api.ok('POST', sets, daemonSet('web', { pod }));
  const service = await plane.api.call('POST', `${core}/services`, {
    metadata: { name: 'web', labels: { team: 'a' } },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
  });
  const member = await joinMember(plane);
  member.report({ placements: [placement(set, 'Run')] });
  const revision = await member.granted(set);
  const report = (podIP: string | undefined, ready = true) =>
    member.report({
      placements: [placement(set, 'Run')],
      pods: podIP
        ? [
            podReport(set, revision, {
              ready,
              uid: `uid-${namespace}`,
              name: 'web-abcde',
              statusJson: JSON.stringify(podStatus(ready, { podIP })),
            }),
          ]
        : [],
    });
  const endpoints = async () => (await plane.api.call('GET', `${core}/endpoints/web`)).json;
  const slices = async () =>
    (
      await plane.api.ok(
        'GET',
        `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io/service-name%3Dweb`,
      )
    ).items;
  const ips = async () =>
    ((await endpoints()).subsets ?? []).flatMap(({ addresses = [] }: Json) =>
      addresses.map(({ ip }: Json) => ip),
    );
  const readyIps = async () =>
    (await slices()).flatMap((slice: Json) =>
      slice.endpoints
        .filter(({ conditions }: Json) => conditions.ready)
        .flatMap(({ addresses }: Json) => addresses),
    );
  const both = (...wanted: string[]) =>
    until(
      `the endpoints are ${wanted}`,
      async () => String([await ips(), await readyIps()]) === String([wanted, wanted]),
    );
  return { namespace, core, service, member, report, endpoints, slices, both };
}

describe('a Service with a selector', () => {
  it('has the endpoints of its pods, as they come, get ready and go', async () => {
    const { core, service, member, report, endpoints, slices, both } = await stage();
    expect(service.headers.warning).toContain('fleetset keeps its Endpoints alone');
    await until('they are there, and empty', async () => (await endpoints()).metadata?.name === 'web');
    report('10.0.0.1');
    await both('10.0.0.1');
    const whole = await endpoints();
    expect(whole).toMatchObject({
      metadata: { labels: { team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } },
      subsets: [
        {
          addresses: [
            { ip: '10.0.0.1', nodeName: member.name, targetRef: { kind: 'Pod', name: 'web-abcde' } },
          ],
          ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        },
      ],
    });
    const [slice] = await slices();
    expect(slice).toMatchObject({
      metadata: { generateName: 'web-', ownerReferences: [{ kind: 'Service', name: 'web' }] },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [{ addresses: ['10.0.0.1'], nodeName: member.name }],
    });
    report('10.0.0.1', false);
    await both();
    expect((await endpoints()).subsets[0].notReadyAddresses).toHaveLength(1);
    report('10.0.0.2');
    await both('10.0.0.2');
    expect((await endpoints()).metadata.uid).toBe(whole.metadata.uid);
    report(undefined);
    await both();
    await plane.api.ok('DELETE', `${core}/services/web`);
    await until(
      'they go with it',
      async () => (await endpoints()).code === 404 && (await slices()).length === 0,
    );
    member.leave();
  });

  it('has them again as they should be, whoever changed or deleted them', async () => {
    const { core, namespace, member, report, slices, both } = await stage();
    report('10.0.0.1');
    await both('10.0.0.1');
    await plane.api.ok('PATCH', `${core}/endpoints/web`, { subsets: [] }, { type: MERGE });
    await both('10.0.0.1');
    await plane.api.ok('DELETE', `${core}/endpoints/web`);
    const [slice] = await slices();
    await plane.api.ok(
      'DELETE',
      `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/${slice.metadata.name}`,
    );
    await both('10.0.0.1');
    await plane.api.ok('DELETE', `/api/v1/namespaces/${namespace}`);
    await until('they keep no namespace from going', async () => {
      report(undefined);
      return (await plane.api.call('GET', `/api/v1/namespaces/${namespace}`)).status === 404;
    });
    member.leave();
  });

  it('that loses its selector leaves what it had to others', async () => {
    const { core, member, report, endpoints, both } = await stage();
    report('10.0.0.1');
    await both('10.0.0.1');
    await plane.api.ok('PATCH', `${core}/services/web`, { spec: { selector: null } }, { type: MERGE });
    const subsets = [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 1, protocol: 'TCP' }] }];
    await plane.api.ok('PATCH', `${core}/endpoints/web`, { subsets }, { type: MERGE });
    report('10.0.0.2');
    // A Service beside it shows that the change of the pod was looked at.
    await plane.api.ok('POST', `${core}/services`, {
      metadata: { name: 'other' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    await until('the other one follows', async () => {
      const { json } = await plane.api.call('GET', `${core}/endpoints/other`);
      return json.subsets?.[0]?.addresses?.[0]?.ip === '10.0.0.2';
    });
    expect((await endpoints()).subsets[0].addresses).toEqual([{ ip: '192.0.2.9' }]);
    member.leave();
  });
});

it('Endpoints that somebody made for a Service without a selector are theirs', async () => {
  const core = '/api/v1/namespaces/default';
  const service = await plane.api.call('POST', `${core}/services`, {
    metadata: { name: 'by-hand' },
    spec: { ports: [{ port: 80 }] },
  });
  expect(service.headers.warning).toContain('Service is stored, but fleetset does not act on it');
  const subsets = [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 80, protocol: 'TCP' }] }];
  await plane.api.ok('POST', `${core}/endpoints`, { metadata: { name: 'by-hand' }, subsets });
  await plane.api.ok(
    'PATCH',
    `${core}/services/by-hand`,
    { metadata: { labels: { a: 'b' } } },
    { type: MERGE },
  );
  await plane.restart();
  const { json } = await plane.api.call('GET', `${core}/endpoints/by-hand`);
  expect([json.subsets, json.metadata.labels]).toEqual([subsets, undefined]);
});
