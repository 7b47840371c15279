// Clients that can only open WebSockets: their token comes as a subprotocol, their watch as messages.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { nextTunnel, tunnelCount } from '../support/hollow-tunnel.ts';
import { configMap, PODS } from '../support/manifests.ts';
import { nobody } from '../support/people.ts';
import { showPod } from '../support/shown-pod.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';
import { upgrade } from '../support/upgrading-client.ts';

let plane: TestPlane;
let member: HollowMember;
let pod: Json;
let token: string;
beforeAll(async () => {
  plane = await startTestPlane();
  member = await joinMember(plane);
  pod = await showPod(plane, member, 'web', ['main']);
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  await plane.api.ok('POST', accounts, { metadata: { name: 'bot' } });
  token = (await plane.api.ok('POST', `${accounts}/bot/token`, {})).status.token;
  await plane.api.ok('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
    metadata: { name: 'bot' },
    roleRef: { kind: 'ClusterRole', name: 'admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'bot', namespace: 'default' }],
  });
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  member.leave();
  await plane.stop();
});

const MAPS = '/api/v1/namespaces/default/configmaps';
const PREFIX = 'base64url.bearer.authorization.k8s.io.';
const carried = (text: string) => PREFIX + Buffer.from(text).toString('base64url');
const stranger = () => ({ apiPort: plane.apiPort, admin: { ca: plane.admin.ca } });
/** Without a library between: all that is sent and answered is seen. */
const ask = (path: string, protocols: string) =>
  upgrade(
    stranger(),
    path,
    {
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      ...(protocols === '' ? {} : { 'Sec-WebSocket-Protocol': protocols }),
    },
    'GET',
  );
const watchUrl = (query = '') => `${MAPS}?watch=true&fieldSelector=metadata.name%3Dwatched${query}`;

describe('a token in a subprotocol', () => {
  it.each([
    ['exec', () => `${PODS}/${pod.name}/exec?command=ls&stdout=true`, 'v5.channel.k8s.io', 'exec'],
    ['attach', () => `${PODS}/${pod.name}/attach?stdout=true`, 'v5.channel.k8s.io', 'attach'],
  ])('is whose %s it is', async (_, path, protocol, kind) => {
    const known = tunnelCount(member.stream);
    const answer = ask(path(), `${carried(token)}, ${protocol}`);
    const agent = await nextTunnel(member.stream, known);
    expect(agent.request.$case).toBe(kind);
    agent.answer(200);
    const granted = await answer;
    if (!('socket' in granted)) throw new Error(JSON.stringify(granted));
    expect(granted.response.headers['sec-websocket-protocol']).toBe(protocol);
    granted.socket.destroy();
    await until('it ends', () => agent.ended());
  });

  it('is whose forwarded port it is, and whose watch', async () => {
    for (const [path, protocol] of [
      [`${PODS}/${pod.name}/portforward`, 'SPDY/3.1+portforward.k8s.io'],
      [watchUrl(), 'base64.binary.k8s.io'],
    ] as const) {
      const granted = await ask(path, `${protocol}, ${carried(token)}`);
      if (!('socket' in granted)) throw new Error(JSON.stringify(granted));
      expect(granted.response.headers['sec-websocket-protocol']).toBe(protocol);
      granted.socket.destroy();
    }
  });

  it.each([
    ['that is not good', () => `v5.channel.k8s.io, ${carried('nonsense')}`],
    ['alone, which a browser could not be answered', () => carried(token)],
    ['twice', () => `v5.channel.k8s.io, ${carried(token)}, ${carried(token)}`],
    ['that is no base64', () => `v5.channel.k8s.io, ${PREFIX}!${carried(token)}`],
    ['that is empty', () => `v5.channel.k8s.io, ${PREFIX}`],
    ['that is no text', () => `v5.channel.k8s.io, ${PREFIX}${Buffer.of(0xff, 0xfe).toString('base64url')}`],
  ])('%s is answered with 401', async (_, protocols) => {
    expect(await ask(watchUrl(), protocols())).toMatchObject({
      status: 401,
      json: { reason: 'Unauthorized' },
    });
  });

  it('is nothing without a WebSocket, and gives no more than its holder may', async () => {
    const anybody = nobody(plane);
    const headers = { 'Sec-WebSocket-Protocol': `v5.channel.k8s.io, ${carried(token)}` };
    expect((await anybody.call('GET', MAPS, undefined, { headers })).status).toBe(403);
    anybody.close();
    expect(await ask('/api/v1/nodes?watch=true', `x, ${carried(token)}`)).toMatchObject({
      status: 403,
      json: { message: expect.stringContaining('system:serviceaccount:default:bot') },
    });
  });
});

describe('a watch over a WebSocket', () => {
  const open = async (path: string) => {
    const socket = new WebSocket(`wss://127.0.0.1:${plane.apiPort}${path}`, { ...plane.admin });
    const heard: Json[] = [];
    let code: number | undefined;
    socket.on('message', (data, isBinary) => {
      expect(isBinary).toBe(false);
      heard.push(JSON.parse(String(data)));
    });
    socket.on('close', (closed) => {
      code = closed;
    });
    await until('open', () => socket.readyState === WebSocket.OPEN);
    return { socket, heard, code: () => code };
  };

  it('tells each event as a message', async () => {
    const watch = await open(watchUrl());
    expect(watch.socket.protocol).toBe('');
    await plane.api.ok('POST', MAPS, configMap('watched'));
    await plane.api.ok('DELETE', `${MAPS}/watched`);
    await until('both came', () => watch.heard.length === 2);
    expect(watch.heard.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ['ADDED', 'watched'],
      ['DELETED', 'watched'],
    ]);
    watch.socket.close();
  });

  it('ends after its time as a WebSocket does', async () => {
    const watch = await open(watchUrl('&timeoutSeconds=1'));
    expect(await until('it ends', watch.code)).toBe(1000);
  });

  it('by the older path is one too', async () => {
    const watch = await open(
      '/api/v1/watch/namespaces/default/configmaps?fieldSelector=metadata.name%3Dolder',
    );
    await plane.api.ok('POST', MAPS, configMap('older'));
    await until('it came', () => watch.heard.length === 1);
    watch.socket.close();
    await until('it ends', watch.code);
  });

  it('that cannot begin is answered as any other', async () => {
    expect(await ask(watchUrl('&resourceVersion=yesterday'), `x, ${carried(token)}`)).toMatchObject({
      status: 400,
      json: { message: 'invalid resource version: "yesterday"' },
    });
  });

  it('does not outlive the plane', async () => {
    const watch = await open(watchUrl());
    await plane.restart();
    expect(await until('it ends', watch.code)).toBe(1000);
  });
});
