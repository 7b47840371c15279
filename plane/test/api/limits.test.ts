// What clients may take of the plane: times, seats, watches; and how it stops while they are there. Real HTTPS.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { joinMember } from '../support/hollow-member.ts';
import { configMap, daemonSet, NODES, PODS, SETS } from '../support/manifests.ts';
import { actingAs } from '../support/people.ts';
import { placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane, type TestPlaneOptions } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
let plane: TestPlane;
const start = async (limits: TestPlaneOptions['limits'] = {}) => {
  plane = await startTestPlane({ limits });
};
afterEach(async () => {
  await plane.stop();
  expect(plane.complaints).toEqual([]);
});

interface Begun {
  /** Sends the rest of the body. */
  readonly finish: () => void;
  readonly answer: Promise<{ readonly status: number; readonly headers: Json; readonly json: Json }>;
}

/** A POST of which half the body has arrived. */
function beginPost(path: string, body: Json, agent?: Agent): Begun {
  const text = JSON.stringify(body);
  const outgoing: ClientRequest = request({
    ...plane.admin,
    host: '127.0.0.1',
    port: plane.apiPort,
    method: 'POST',
    path,
    ...(agent ? { agent } : {}),
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) },
  });
  outgoing.write(text.slice(0, 5));
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
  }).then(async (response) => {
    let all = '';
    for await (const chunk of response) all += chunk;
    return { status: response.statusCode ?? 0, headers: response.headers, json: JSON.parse(all) };
  });
  answer.catch(() => {});
  return { finish: () => void outgoing.end(text.slice(5)), answer };
}

const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await plane.api.call('GET', '/metrics')).text)?.[1]);
const inFlight = (count: number) =>
  until(`${count} in flight`, async () => (await metric('apiserver_current_inflight_requests')) === count);

describe('a request', () => {
  it('that takes longer than it may is answered with 504', async () => {
    await start();
    const { answer } = beginPost(`${MAPS}?timeout=100ms`, configMap('slow'));
    const { status, json } = await answer;
    expect([status, json.reason, json.message]).toEqual([
      504,
      'Timeout',
      'Timeout: request did not complete within the allotted timeout',
    ]);
  });

  it('may say how long it waits, in words that are understood', async () => {
    await start();
    const { status, json } = await plane.api.call('GET', `${MAPS}?timeout=soon`);
    expect([status, json.message]).toEqual([
      400,
      'timeout: Invalid value: "soon": must be a duration, such as 34s',
    ]);
    expect((await plane.api.call('GET', `${MAPS}?timeout=1m`)).status).toBe(200);
  });

  it('whose headers do not come is closed', async () => {
    await start({ timeoutMs: 500 });
    const socket = connect({ ...plane.admin, host: '127.0.0.1', port: plane.apiPort });
    socket.write('GET /version HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    let heard = '';
    socket.on('data', (text) => {
      heard += text;
    });
    await new Promise((resolve) => socket.on('close', resolve));
    expect(heard).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('one user too many', () => {
  it('at once are sent away with 429 and when to come again, and others are served', async () => {
    await start({ perUser: 2, queuedPerUser: 1 });
    const begun = [1, 2].map((n) => beginPost(MAPS, configMap(`map-${n}`)));
    await inFlight(2);
    const third = beginPost(MAPS, configMap('map-3'));
    await until('it waits', async () => (await metric('apiserver_current_inqueue_requests')) === 1);
    const refused = await plane.api.call('GET', MAPS);
    expect([refused.status, refused.headers['retry-after'], refused.json]).toEqual([
      429,
      '1',
      expect.objectContaining({
        reason: 'TooManyRequests',
        message: 'too many requests of fleetset-admin, please try again later',
        details: { retryAfterSeconds: 1 },
      }),
    ]);
    expect((await actingAs(plane, 'jane').call('GET', MAPS)).status).toBe(403);
    expect((await actingAs(plane, 'root', 'system:masters').call('GET', MAPS)).status).toBe(200);
    for (const { finish } of [...begun, third]) finish();
    const answers = await Promise.all([...begun, third].map(({ answer }) => answer));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(await metric('apiserver_flowcontrol_rejected_requests_total')).toBe(1);
    await inFlight(0);
  });

  it('watches are refused until one of them ends', async () => {
    await start({ longPerUser: 2 });
    const open = [1, 2].map(() => plane.api.watch(`${MAPS}?watch=true`));
    const [first] = await Promise.all(open);
    const refused = await plane.api.call('GET', `${MAPS}?watch=true`);
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    first?.close();
    await until('a place', async () => (await metric('apiserver_longrunning_requests')) === 1);
    const again = await plane.api.watch(`${MAPS}?watch=true`);
    expect(again.status).toBe(200);
    for (const watch of [await open[1], again]) watch?.close();
  });
});

describe('a plane that stops', () => {
  it('is not ready, ends watches whole, and answers what has begun', async () => {
    await start({ stopMs: 60_000 });
    const watch = await plane.api.watch(`${MAPS}?watch=true`);
    const begun = beginPost(MAPS, configMap('late'));
    await inFlight(1);
    // On a connection that is in use when the plane stops: there are no new ones then.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const asking = beginPost(MAPS, configMap('asking'), agent);
    await inFlight(2);
    const stopped = plane.stop();
    await watch.untilEnd();
    expect(watch.whole()).toBe(true);
    begun.finish();
    asking.finish();
    const answers = await Promise.all([begun.answer, asking.answer]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    await stopped;
    agent.destroy();
    await plane.restart();
    expect((await plane.api.call('GET', `${MAPS}/late`)).status).toBe(200);
  });

  it('does not wait for ever for what does not come', async () => {
    await start({ stopMs: 100 });
    const { answer } = beginPost(MAPS, configMap('never'));
    await inFlight(1);
    await plane.stop();
    await expect(answer).rejects.toThrow(/hang up|ECONNRESET/);
  });
});

describe('clients that list 10,000 pods over and over', () => {
  it('starve neither agents nor others: each has its turn', async () => {
    // On a loaded machine the last of them take longer than a client would wait.
    await start({ timeoutMs: 600_000 });
    const set = await plane.api.ok('POST', SETS, daemonSet('web'));
    const members = await Promise.all(Array.from({ length: 20 }, () => joinMember(plane)));
    for (const member of members) member.report({ placements: [placement(set, 'Run')] });
    const hash = await members[0]?.granted(set);
    const isThere = async (name: string) => (await plane.api.call('GET', `${PODS}/${name}`)).status === 200;
    for (const member of members) {
      const pods = Array.from({ length: 500 }, () => podReport(set, hash ?? ''));
      member.report({ placements: [placement(set, 'Run')], pods });
      await until('its pods', () => isThere(pods.at(-1)?.name ?? ''));
    }

    // One user asks for twelve lists at once; another one for a list of his own, after him.
    let ended = 0;
    const greedy = actingAs(plane, 'greedy', 'system:masters');
    const lists = Array.from({ length: 12 }, async () => {
      const { json } = await greedy.call('GET', PODS);
      ended += 1;
      return json.items.length;
    });
    const modest = actingAs(plane, 'modest', 'system:masters');
    const own = await modest.call('GET', PODS);
    expect(own.json.items).toHaveLength(10_000);
    expect(ended).toBeLessThan(6);

    // Meanwhile an agent says something new, and it is known before the lists are done.
    const [agent] = members;
    const news = podReport(set, hash ?? '');
    agent?.report({ placements: [placement(set, 'Run')], pods: [news] });
    await until('it is heard', () => isThere(news.name));
    const heardAfter = ended;
    expect(await Promise.all(lists)).toEqual(expect.arrayContaining([10_000]));
    expect(heardAfter).toBeLessThan(12);
    const { items: nodes } = await plane.api.ok('GET', NODES);
    const ready = nodes.map(
      ({ status }: Json) => status.conditions.find(({ type }: Json) => type === 'Ready')?.status,
    );
    expect(ready).toEqual(Array(20).fill('True'));
    for (const member of members) member.leave();
  });
});
