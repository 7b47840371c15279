// What `kubectl get` prints is made by the server: the columns of contract (c), and the rules of their cells.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAge } from '../../src/kinds/age.ts';
import { podKind } from '../../src/kinds/pod-kind.ts';
import { type Json, STRATEGIC, TABLE } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, EVENTS, NODES, PODS, REVISIONS, SETS } from '../support/manifests.ts';
import { agentEvent, facts, placement, podReport, podStatus } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let member: HollowMember;
let pod: Json;
beforeAll(async () => {
  plane = await startTestPlane();
  const set = await plane.api.ok(
    'POST',
    SETS,
    daemonSet('web', {
      pod: {
        nodeSelector: { disk: 'ssd' },
        containers: [
          { name: 'main', image: 'web:1' },
          { name: 'side', image: 'side:2' },
        ],
      },
    }),
  );
  member = await joinMember(plane);
  const labels = { disk: 'ssd', 'node-role.kubernetes.io/edge': '', 'kubernetes.io/role': 'worker' };
  member.report({ facts: facts(member.name, { labels }), placements: [placement(set, 'Run')] });
  // An age that stays what it is for as long as the tests take.
  const finishedAt = new Date(Date.now() - 10.5 * 86_400_000).toISOString();
  const status = podStatus(true);
  status.containerStatuses[0].restartCount = 2;
  status.containerStatuses[0].lastState = { terminated: { exitCode: 1, finishedAt } };
  pod = podReport(set, await member.granted(set), { statusJson: JSON.stringify(status) });
  member.report({
    facts: facts(member.name, { labels }),
    placements: [placement(set, 'Run')],
    pods: [pod] as never,
    events: [
      agentEvent({
        type: 'Warning',
        reason: 'BackOff',
        message: ' spaces around \n',
        podUid: pod.uid,
        fieldPath: 'spec.containers{main}',
      }),
    ],
  });
  await until('the event', async () => (await rows(`${EVENTS}?fieldSelector=reason%3DBackOff`))[0]);
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  member.leave();
  await plane.stop();
});

const table = (path: string, query = ''): Promise<Json> =>
  plane.api.ok('GET', path + query, undefined, { headers: { Accept: TABLE } });
const rows = async (path: string): Promise<Json[]> => (await table(path)).rows;
/** The first row, as kubectl would put it under the headers. */
const cells = async (path: string): Promise<Json> => {
  const shown = await table(path);
  return Object.fromEntries(
    shown.columnDefinitions.map(({ name }: Json, index: number) => [name, shown.rows[0]?.cells[index]]),
  );
};

/** Contract (c): `*` is priority 1, types other than string in brackets. */
const COLUMNS: [string, string][] = [
  [
    SETS,
    'Name, Desired(integer), Current(integer), Ready(integer), Up-to-date(integer), Available(integer), Node Selector, Age, Containers*, Images*, Selector*',
  ],
  [PODS, 'Name, Ready, Status, Restarts, Age, IP*, Node*, Nominated Node*, Readiness Gates*'],
  [
    NODES,
    'Name, Status, Roles, Age, Version, Internal-IP*, External-IP*, OS-Image*, Kernel-Version*, Container-Runtime*',
  ],
  [
    EVENTS,
    'Last Seen, Type, Reason, Object, Subobject*, Source*, Message, First Seen*, Count(integer)*, Name*',
  ],
  [REVISIONS, 'Name, Controller, Revision(integer), Age'],
  ['/api/v1/namespaces', 'Name, Status, Age'],
  ['/api/v1/configmaps', 'Name, Data(integer), Age'],
  ['/api/v1/secrets', 'Name, Type, Data(integer), Age'],
  ['/api/v1/services', 'Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector*'],
  ['/api/v1/endpoints', 'Name, Endpoints, Age'],
  ['/apis/discovery.k8s.io/v1/endpointslices', 'Name, AddressType, Ports, Endpoints, Age'],
  [
    '/apis/scheduling.k8s.io/v1/priorityclasses',
    'Name, Value(integer), Global-Default(boolean), Age, PreemptionPolicy',
  ],
  ['/apis/coordination.k8s.io/v1/leases', 'Name, Holder, Age'],
  [
    '/apis/events.k8s.io/v1/events',
    'Last Seen, Type, Reason, Object, Subobject*, Source*, Message, First Seen*, Count(integer)*, Name*',
  ],
];

describe('the columns', () => {
  it.each(COLUMNS)('of %s', async (path, expected) => {
    const { columnDefinitions } = await table(path);
    const shown = columnDefinitions.map(
      ({ name, type, priority }: Json) =>
        `${name}${type === 'string' || name === 'Data' ? '' : `(${type})`}${priority ? '*' : ''}`,
    );
    expect(shown.join(', ')).toBe(expected.replace('Data(integer)', 'Data'));
    for (const { name, format, description } of columnDefinitions) {
      expect(format).toBe(name === 'Name' ? 'name' : '');
      expect(description).toMatch(/\.$/);
    }
  });
});

describe('a table', () => {
  it('is plain JSON with the metadata of the list, and rows that carry bare metadata', async () => {
    const reply = await plane.api.call('GET', '/api/v1/namespaces?limit=2', undefined, {
      headers: { Accept: TABLE },
    });
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.json).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(reply.json.metadata).toMatchObject({
      resourceVersion: expect.stringMatching(/^\d+$/),
      continue: expect.any(String),
      remainingItemCount: 2,
    });
    const [row] = reply.json.rows;
    expect(row.object).toMatchObject({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'default', uid: expect.any(String) },
    });
    expect(row.object).not.toHaveProperty('status');
    expect(row.cells).toHaveLength(reply.json.columnDefinitions.length);
  });

  it('carries whole objects, or none, for those who ask', async () => {
    const [whole] = (await table('/api/v1/namespaces', '?includeObject=Object')).rows;
    expect(whole.object).toMatchObject({ kind: 'Namespace', status: { phase: 'Active' } });
    const [none] = (await table('/api/v1/namespaces', '?includeObject=None')).rows;
    expect(none).not.toHaveProperty('object');
  });

  it('is made of one object as well', async () => {
    const one = await table('/api/v1/namespaces/default');
    expect(one.rows.map((row: Json) => row.cells.slice(0, 2))).toEqual([['default', 'Active']]);
  });
});

describe('the cells', () => {
  it('of a DaemonSet', async () => {
    await until('counted', async () => (await cells(SETS)).Ready === 1);
    expect(await cells(SETS)).toMatchObject({
      Name: 'web',
      Desired: 1,
      Current: 1,
      Ready: 1,
      'Up-to-date': 1,
      Available: 1,
      'Node Selector': 'disk=ssd',
      Age: expect.stringMatching(/^\d+s$/),
      Containers: 'main,side',
      Images: 'web:1,side:2',
      Selector: 'app=web',
    });
  });

  it('of a DaemonSet without a node selector', async () => {
    await plane.api.ok('POST', SETS, daemonSet('aaa'));
    expect((await cells(SETS))['Node Selector']).toBe('<none>');
    await plane.api.ok('DELETE', `${SETS}/aaa`);
  });

  it('of a pod: restarts with the age of the last end, ready over all', async () => {
    expect(await cells(PODS)).toMatchObject({
      Name: pod.name,
      Ready: '1/2',
      Status: 'Running',
      Restarts: '2 (10d ago)',
      Age: '0s',
      IP: '10.0.0.7',
      Node: member.name,
      'Nominated Node': '<none>',
      'Readiness Gates': '<none>',
    });
  });

  it('of a node: its status, its roles, what the agent says of it', async () => {
    expect(await cells(NODES)).toMatchObject({
      Name: member.name,
      Status: 'Ready',
      Roles: 'edge,worker',
      Version: 'fleetset-test',
      'Internal-IP': '10.0.0.7',
      'External-IP': '<none>',
      'OS-Image': 'Debian',
      'Kernel-Version': '6.1',
      'Container-Runtime': 'docker://1',
    });
    const path = `${NODES}/${member.name}`;
    await plane.api.ok('PATCH', path, { spec: { unschedulable: true } }, { type: STRATEGIC });
    expect((await cells(NODES)).Status).toBe('Ready,SchedulingDisabled');
    await plane.api.ok('PATCH', path, { spec: { unschedulable: null } }, { type: STRATEGIC });
  });

  it('of a node that never spoke', async () => {
    const quiet = await joinMember(plane, 'a-quiet-one');
    expect(await cells(`${NODES}/a-quiet-one`)).toMatchObject({
      Status: 'NotReady',
      Roles: '<none>',
      Version: '',
      'Internal-IP': '<none>',
      'OS-Image': '<unknown>',
    });
    quiet.leave();
  });

  it('of an event', async () => {
    expect(await cells(`${EVENTS}?fieldSelector=reason%3DBackOff`)).toMatchObject({
      'Last Seen': expect.stringMatching(/^\d+s$/),
      Type: 'Warning',
      Reason: 'BackOff',
      Object: `pod/${pod.name}`,
      Subobject: 'spec.containers{main}',
      Source: `fleetset-agent, ${member.name}`,
      Message: 'spaces around',
      'First Seen': expect.stringMatching(/^\d+s$/),
      Count: 1,
      Name: expect.stringContaining(`${pod.name}.`),
    });
  });

  it('of a revision', async () => {
    expect(await cells(REVISIONS)).toMatchObject({ Controller: 'daemonset.apps/web', Revision: 1 });
  });

  it('of a ConfigMap and a Secret: how much is in them', async () => {
    const namespace = '/api/v1/namespaces/kube-public';
    await plane.api.ok('POST', `${namespace}/configmaps`, {
      metadata: { name: 'a' },
      data: { x: '1', y: '2' },
      binaryData: { z: 'MQ==' },
    });
    expect(await cells(`${namespace}/configmaps`)).toMatchObject({ Name: 'a', Data: 3 });
    await plane.api.ok('POST', `${namespace}/secrets`, { metadata: { name: 's' }, type: 'my/type' });
    expect(await cells(`${namespace}/secrets`)).toMatchObject({ Type: 'my/type', Data: 0 });
  });
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('an age', () => {
  it.each<[number, string]>([
    [-5 * SECOND, '0s'],
    [0, '0s'],
    [999, '0s'],
    [90 * SECOND, '90s'],
    [2 * MINUTE - 1, '119s'],
    [2 * MINUTE, '2m'],
    [3 * MINUTE + 20 * SECOND, '3m20s'],
    [9 * MINUTE + 59 * SECOND, '9m59s'],
    [10 * MINUTE, '10m'],
    [95 * MINUTE, '95m'],
    [3 * HOUR - 1, '179m'],
    [3 * HOUR, '3h'],
    [5 * HOUR + 12 * MINUTE, '5h12m'],
    [8 * HOUR, '8h'],
    [30 * HOUR, '30h'],
    [48 * HOUR - 1, '47h'],
    [48 * HOUR, '2d'],
    [3 * DAY + 4 * HOUR, '3d4h'],
    [8 * DAY, '8d'],
    [729 * DAY, '729d'],
    [730 * DAY, '2y'],
    [2 * 365 * DAY + 31 * DAY, '2y31d'],
    [8 * 365 * DAY, '8y'],
    [8 * 365 * DAY + 100 * DAY, '8y'],
  ])('of %i ms is %s', (ms, expected) => {
    expect(formatAge(ms)).toBe(expected);
  });
});

describe('the status of a pod', () => {
  const running = { name: 'c', ready: true, state: { running: {} } };
  const waiting = (reason: string) => ({ name: 'c', ready: false, state: { waiting: { reason } } });
  const ended = (terminated: Json) => ({ name: 'c', ready: false, state: { terminated } });
  const of = (status: Json, metadata: Json = {}): Json => {
    const column = podKind.columns.find(({ name }) => name === 'Status');
    return column?.cell({ metadata, status }, 0);
  };
  const deleted = { deletionTimestamp: '2030-01-01T00:00:00Z' };
  const ready = [{ type: 'Ready', status: 'True' }];

  it.each<[string, Json, Json?]>([
    ['Running', { phase: 'Running', containerStatuses: [running] }],
    ['Unknown', {}],
    ['Evicted', { phase: 'Failed', reason: 'Evicted' }],
    ['ImagePullBackOff', { phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff')] }],
    // From last to first: the first one's word is the last said.
    ['ErrImagePull', { phase: 'Pending', containerStatuses: [waiting('ErrImagePull'), waiting('Other')] }],
    ['CrashLoopBackOff', { phase: 'Running', containerStatuses: [running, waiting('CrashLoopBackOff')] }],
    ['Error', { phase: 'Running', containerStatuses: [ended({ exitCode: 1, reason: 'Error' })] }],
    ['ExitCode:3', { phase: 'Running', containerStatuses: [ended({ exitCode: 3 })] }],
    ['Signal:9', { phase: 'Running', containerStatuses: [ended({ exitCode: 137, signal: 9 })] }],
    ['Completed', { phase: 'Succeeded', containerStatuses: [ended({ exitCode: 0, reason: 'Completed' })] }],
    [
      'Running',
      {
        phase: 'Running',
        conditions: ready,
        containerStatuses: [ended({ exitCode: 0, reason: 'Completed' }), running],
      },
    ],
    [
      'NotReady',
      { phase: 'Running', containerStatuses: [ended({ exitCode: 0, reason: 'Completed' }), running] },
    ],
    ['Terminating', { phase: 'Running', containerStatuses: [running] }, deleted],
    [
      'Completed',
      { phase: 'Succeeded', containerStatuses: [ended({ exitCode: 0, reason: 'Completed' })] },
      deleted,
    ],
    ['Unknown', { phase: 'Running', reason: 'NodeLost' }, deleted],
  ])('%s', (expected, status, metadata) => {
    expect(of(status, metadata)).toBe(expected);
  });

  describe('with init containers', () => {
    const spec = {
      initContainers: [{ name: 'a' }, { name: 'car', restartPolicy: 'Always' }, { name: 'z' }],
      containers: [{ name: 'c' }],
    };
    const finishedAt = '2029-12-31T23:59:00Z';
    const init = (name: string, state: Json, more: Json = {}) => ({
      name,
      state,
      ready: false,
      started: false,
      restartCount: 0,
      ...more,
    });
    const done = (name: string) =>
      init(name, { terminated: { exitCode: 0, reason: 'Completed' } }, { ready: true, restartCount: 1 });
    const car = init('car', { running: {} }, { ready: true, started: true, restartCount: 2 });
    const initializing = { waiting: { reason: 'PodInitializing' } };
    const main = { name: 'c', ready: false, state: initializing, restartCount: 0 };
    const up = { ...running, restartCount: 4, lastState: { terminated: { exitCode: 1, finishedAt } } };
    const cellsOf = (initContainerStatuses: Json[], container: Json, conditions: Json[] = []): Json =>
      ['Ready', 'Status', 'Restarts'].map((name) =>
        podKind.columns
          .find((column) => column.name === name)
          ?.cell(
            {
              metadata: {},
              spec,
              status: { phase: 'Pending', initContainerStatuses, containerStatuses: [container], conditions },
            } as never,
            Date.parse('2030-01-01T00:00:00Z'),
          ),
      );

    it.each<[string, Json[], Json, Json[], Json[]]>([
      ['the first runs', [init('a', { running: {} })], main, ['0/2', 'Init:0/3', '0'], []],
      [
        'the first waits to be made',
        [init('a', initializing), init('car', initializing), init('z', initializing)],
        main,
        ['0/2', 'Init:0/3', '0'],
        [],
      ],
      [
        'the first cannot be pulled',
        [init('a', { waiting: { reason: 'ErrImagePull' } })],
        main,
        ['0/2', 'Init:ErrImagePull', '0'],
        [],
      ],
      [
        'the first failed',
        [init('a', { terminated: { exitCode: 1, reason: 'Error' } })],
        main,
        ['0/2', 'Init:Error', '0'],
        [],
      ],
      [
        'and failed without a word',
        [init('a', { terminated: { exitCode: 7 } })],
        main,
        ['0/2', 'Init:ExitCode:7', '0'],
        [],
      ],
      [
        'and fails again and again',
        [
          init(
            'a',
            { waiting: { reason: 'CrashLoopBackOff' } },
            { restartCount: 3, lastState: { terminated: { exitCode: 1, finishedAt } } },
          ),
        ],
        main,
        ['0/2', 'Init:CrashLoopBackOff', '3 (60s ago)'],
        [],
      ],
      [
        'the sidecar has started, the last one runs',
        [done('a'), car, init('z', { running: {} })],
        main,
        ['1/2', 'Init:2/3', '3'],
        [],
      ],
      ['all is done', [done('a'), car, done('z')], main, ['1/2', 'PodInitializing', '2'], []],
      ['the main container runs', [done('a'), car, done('z')], up, ['2/2', 'Pending', '6 (60s ago)'], []],
      [
        'a sidecar is restarted later',
        [done('a'), init('car', { waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 2 }), done('z')],
        up,
        ['1/2', 'Init:CrashLoopBackOff', '6 (60s ago)'],
        [{ type: 'Initialized', status: 'True' }],
      ],
    ])('%s', (_what, inits, container, expected, conditions) => {
      expect(cellsOf(inits, container, conditions)).toEqual(expected);
    });
  });

  it('rows of finished pods say that they are', async () => {
    const { tableRow } = await import('../../src/api/table.ts');
    const row = (phase: string): Json =>
      tableRow(podKind, { metadata: { name: 'p' }, spec: { containers: [] }, status: { phase } }, 'None', 0);
    expect(row('Succeeded').conditions).toEqual([{ type: 'Completed', status: 'True', reason: 'Succeeded' }]);
    expect(row('Running')).not.toHaveProperty('conditions');
  });
});
