// kubectl logs: asked of the plane, answered by the agent over a stream of its own.
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { nextLogRequest, openTunnel, serveNextLog } from '../support/hollow-logs.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, PODS, SETS } from '../support/manifests.ts';
import { placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
let member: HollowMember;
let single: Json;
let double: Json;
beforeAll(async () => {
  plane = await startTestPlane();
  member = await joinMember(plane);
  single = await makePod('single', ['main']);
  double = await makePod('double', ['a', 'b']);
});
afterAll(async () => {
  member.leave();
  await plane.stop();
});
afterEach(() => {
  vi.useRealTimers();
});

const shown: Json[] = [];
async function makePod(name: string, containers: string[]): Promise<Json> {
  const pod = { containers: containers.map((container) => ({ name: container, image: 'i' })) };
  const set = await plane.api.ok('POST', SETS, daemonSet(name, { pod }));
  const show = () => member.report({ placements: [placement(set, 'Run')], pods: shown as never });
  show();
  const report = podReport(set, await member.granted(set));
  shown.push(report);
  show();
  await until('mirrored', async () => (await plane.api.call('GET', `${PODS}/${report.name}`)).status === 200);
  return report;
}

const path = (pod: Json, query = '') => `${PODS}/${pod.name}/log${query}`;
const asked = () => member.stream.heard.filter(({ $case }) => $case === 'openTunnel').length;

describe('the parameters of a log', () => {
  it.each<[string, string, () => Json, string]>([
    [
      'a container that is not in the pod',
      '?container=x',
      () => single,
      'container x is not valid for pod NAME',
    ],
    [
      'no container where there are several',
      '',
      () => double,
      'a container name must be specified for pod NAME, choose one of: [a b]',
    ],
    [
      'tailLines that is no number',
      '?tailLines=all',
      () => single,
      'tailLines: Invalid value: "all": must be an integer',
    ],
    [
      'sinceSeconds with a fraction',
      '?sinceSeconds=1.5',
      () => single,
      'sinceSeconds: Invalid value: "1.5": must be an integer',
    ],
    [
      'limitBytes that is empty',
      '?limitBytes=',
      () => single,
      'limitBytes: Invalid value: "": must be an integer',
    ],
    [
      'a number that the wire cannot carry',
      '?tailLines=99999999999999999999999',
      () => single,
      'tailLines: Invalid value: "99999999999999999999999": must be an integer',
    ],
    [
      'sinceTime that is no time',
      '?sinceTime=yesterday',
      () => single,
      'sinceTime: Invalid value: "yesterday": must be an RFC 3339 time',
    ],
  ])('%s is refused before the agent is asked', async (_, query, pod, message) => {
    const before = asked();
    const reply = await plane.api.call('GET', path(pod(), query));
    expect([reply.status, reply.json.reason]).toEqual([400, 'BadRequest']);
    expect(reply.json.message).toBe(message.replace('NAME', pod().name));
    expect(asked()).toBe(before);
  });

  it.each([
    ['tailLines=-1', 'tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['sinceSeconds=0', 'sinceSeconds: Invalid value: 0: must be greater than 0'],
    ['limitBytes=0', 'limitBytes: Invalid value: 0: must be greater than 0'],
    [
      'sinceSeconds=60&sinceTime=2030-01-02T03%3A04%3A05Z',
      ': Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    ],
  ])('%s is invalid', async (query, message) => {
    const reply = await plane.api.call('GET', path(single, `?${query}`));
    expect([reply.status, reply.json.reason, reply.json.details.kind]).toEqual([
      422,
      'Invalid',
      'PodLogOptions',
    ]);
    expect(reply.json.message).toBe(`PodLogOptions "${single.name}" is invalid: ${message}`);
  });

  it('all reach the agent as they were given', async () => {
    const query =
      '?container=b&follow=true&previous=true&timestamps=true&tailLines=5&limitBytes=1000&sinceTime=2030-01-02T03%3A04%3A05Z';
    const response = plane.api.call('GET', path(double, query));
    const tunnel = await serveNextLog(member.stream, asked());
    expect(tunnel.request).toEqual({
      podUid: double.uid,
      container: 'b',
      follow: true,
      previous: true,
      timestamps: true,
      tailLines: 5,
      limitBytes: 1000,
      sinceTime: '2030-01-02T03:04:05Z',
    });
    tunnel.answer(200);
    tunnel.finish();
    await response;
  });

  it('that are absent are absent, and the only container is meant', async () => {
    const response = plane.api.call('GET', path(single));
    const tunnel = await serveNextLog(member.stream, asked());
    expect(tunnel.request).toMatchObject({
      container: 'main',
      follow: false,
      previous: false,
      timestamps: false,
      sinceTime: '',
    });
    for (const field of ['tailLines', 'sinceSeconds', 'limitBytes'] as const)
      expect(tunnel.request[field]).toBeUndefined();
    tunnel.answer(200);
    tunnel.finish();
    expect((await response).status).toBe(200);
  });

  it('of a pod that is not there: 404', async () => {
    const reply = await plane.api.call('GET', `${PODS}/nope/log`);
    expect([reply.status, reply.json.message]).toEqual([404, 'pods "nope" not found']);
  });
});

describe('a log', () => {
  it('is relayed byte for byte as text/plain, however it is cut into pieces', async () => {
    const bytes = randomBytes(300_000);
    const response = plane.api.call('GET', path(single));
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(200);
    for (let at = 0; at < bytes.length; at += 7777) await tunnel.send(bytes.subarray(at, at + 7777));
    tunnel.finish();
    const reply = await response;
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(reply.headers).not.toHaveProperty('content-encoding');
    expect(reply.bytes.equals(bytes)).toBe(true);
  });

  it('that is followed arrives line by line, headers first', async () => {
    const responding = plane.api.stream(path(single, '?follow=true'));
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(200);
    const response = await responding;
    const lines: string[] = [];
    response.setEncoding('utf8').on('data', (text: string) => lines.push(text));
    for (const line of ['one\n', 'two\n', 'three\n']) {
      await tunnel.send(Buffer.from(line));
      await until(line, () => lines.includes(line));
    }
    tunnel.finish();
    await until('the end', () => response.complete);
  });

  it('is not mixed with another that is read at the same time', async () => {
    const before = asked();
    const first = plane.api.call('GET', path(single));
    const one = await nextLogRequest(member.stream, before);
    const second = plane.api.call('GET', path(double, '?container=a'));
    const two = await nextLogRequest(member.stream, before + 1);
    const tunnels = [two.dial(), one.dial()];
    for (const tunnel of tunnels) tunnel.answer(200);
    for (const tunnel of tunnels) await tunnel.send(Buffer.from(tunnel.request.container));
    for (const tunnel of tunnels) tunnel.finish();
    expect([(await first).text, (await second).text]).toEqual(['main', 'a']);
  });

  // The bug this found: it ended like a log that was read to its end.
  it('whose agent breaks off in the middle is cut, not ended as if it were whole', async () => {
    const responding = plane.api.stream(path(single, '?follow=true'));
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(200);
    await tunnel.send(Buffer.from('half a li'));
    const response = await responding;
    let failed = false;
    response.on('error', () => {
      failed = true;
    });
    let text = '';
    response.on('data', (piece: Buffer) => {
      text += piece;
    });
    await until('the half is read', () => text === 'half a li');
    tunnel.abort();
    await until('it is cut', () => failed);
    expect(response.complete).toBe(false);
  });
});

describe('an agent that refuses', () => {
  it.each([
    [400, 400, 'BadRequest', 'previous terminated container "main" in pod "P" not found'],
    [404, 404, 'NotFound', 'no such container'],
    [500, 500, 'InternalError', 'the engine does not answer'],
    // What is no HTTP status is the agent's mistake, and must not be the plane's end.
    [0, 500, 'InternalError', 'an answer without a code'],
    [99, 500, 'InternalError', 'an answer that no HTTP library sends'],
    [204, 500, 'InternalError', 'success that is none'],
    [302, 500, 'InternalError', 'elsewhere'],
    [1000, 500, 'InternalError', 'beyond'],
    [4294967295, 500, 'InternalError', 'far beyond'],
  ])('with code %i is answered with %i %s and its own words', async (code, status, reason, message) => {
    const response = plane.api.call('GET', path(single));
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(code, message);
    const reply = await response;
    expect(reply.json).toMatchObject({ kind: 'Status', code: status, reason, message });
    expect(reply.status).toBe(status);
    await until('its stream is ended', () => tunnel.ended());
    expect((await plane.api.call('GET', '/readyz')).text).toBe('ok');
  });

  it('with data where an answer should be: 503', async () => {
    const response = plane.api.call('GET', path(single));
    const tunnel = await serveNextLog(member.stream, asked());
    await tunnel.send(Buffer.from('too early'));
    expect((await response).json).toMatchObject({
      code: 503,
      reason: 'ServiceUnavailable',
      message: 'the agent closed the stream without an answer',
    });
  });

  it('by hanging up: 503', async () => {
    const response = plane.api.call('GET', path(single));
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.finish();
    expect((await response).status).toBe(503);
  });

  it('by never dialling: 503 after ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const response = plane.api.stream(path(single));
    const { dial } = await nextLogRequest(member.stream, asked());
    await turns();
    vi.advanceTimersByTime(10_000);
    vi.useRealTimers();
    expect((await response).statusCode).toBe(503);
    // Too late: the stream is ended, and nothing waits for it.
    const late = dial();
    await until('its stream is ended', () => late.ended());
  });
});

describe('a tunnel', () => {
  it('that nobody asked for is ended', async () => {
    const request = { podUid: '', container: '', follow: false } as never;
    const stray = openTunnel(member.stream.carry(), request, 'no-such-tunnel');
    await until('ended', () => stray.ended());
  });

  it('of one node cannot be served by another', async () => {
    const other = await joinMember(plane);
    const response = plane.api.call('GET', path(single));
    const { request, dial } = await nextLogRequest(member.stream, asked());
    const id = member.stream.heard.flatMap((message) =>
      message.$case === 'openTunnel' ? [message.value.tunnelId] : [],
    );
    const thief = openTunnel(other.stream.carry(), request, id.at(-1) ?? '');
    await until('the thief is sent away', () => thief.ended());
    const tunnel = dial();
    tunnel.answer(200);
    await tunnel.send(Buffer.from('genuine'));
    tunnel.finish();
    expect((await response).text).toBe('genuine');
    other.leave();
  });
});

describe('a client that leaves', () => {
  const read = async (): Promise<IncomingMessage> => {
    const response = await plane.api.stream(path(single, '?follow=true'));
    response.on('error', () => {});
    return response;
  };

  it('in the middle of a log ends the agent’s stream', async () => {
    const reading = read();
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(200);
    const response = await reading;
    await tunnel.send(Buffer.from('line\n'));
    response.destroy();
    await until('the agent is told', () => tunnel.ended());
  });

  it('of a log in which nothing happens ends the agent’s stream', async () => {
    const reading = read();
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(200);
    (await reading).destroy();
    await until('the agent is told', () => tunnel.ended());
  });

  // The bug this found: whoever left before the agent had dialled was not noticed any more, and a followed log in which
  // nothing happened stayed open on the node for ever.
  it.each(['before the agent dialled', 'before the agent answered'])(
    '%s ends the agent’s stream',
    async (when) => {
      const before = asked();
      const abandoned = plane.api.stream(path(single, '?follow=true'));
      const { dial } = await nextLogRequest(member.stream, before);
      const early = when === 'before the agent answered' ? dial() : undefined;
      await turns();
      plane.dropClients();
      await expect(abandoned).rejects.toThrow();
      await turns();
      const tunnel = early ?? dial();
      tunnel.answer(200);
      await until('the agent is told', () => tunnel.ended());
    },
  );
});

describe('a node that is not there', () => {
  it('is 503, whether it left or never came', async () => {
    const gone = await joinMember(plane);
    const set = await plane.api.ok('POST', SETS, daemonSet('short'));
    gone.report({ placements: [placement(set, 'Run')] });
    const report = podReport(set, await gone.granted(set));
    gone.report({ placements: [placement(set, 'Run')], pods: [report] });
    await until(
      'mirrored',
      async () => (await plane.api.call('GET', `${PODS}/${report.name}`)).status === 200,
    );
    gone.leave();
    await until('noticed', () => !plane.hasHeard(gone.name));
    const reply = await plane.api.call('GET', path(report));
    expect(reply.json).toMatchObject({
      code: 503,
      reason: 'ServiceUnavailable',
      message: `the agent of node ${gone.name} is not connected`,
    });
  });

  it('any more while it is asked: 503 at once, not after the patience for dialling', async () => {
    const leaving = await joinMember(plane);
    const set = await plane.api.ok('POST', SETS, daemonSet('leaving'));
    leaving.report({ placements: [placement(set, 'Run')] });
    const report = podReport(set, await leaving.granted(set));
    leaving.report({ placements: [placement(set, 'Run')], pods: [report] });
    await until(
      'mirrored',
      async () => (await plane.api.call('GET', `${PODS}/${report.name}`)).status === 200,
    );
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const response = plane.api.stream(path(report));
    await nextLogRequest(leaving.stream, 0);
    leaving.leave();
    // The clock of the plane stands still.
    expect((await response).statusCode).toBe(503);
  });
});

describe('stopping the plane', () => {
  it('ends logs that are followed, and their agents’ streams', async () => {
    const responding = plane.api.stream(path(single, '?follow=true'));
    const tunnel = await serveNextLog(member.stream, asked());
    tunnel.answer(200);
    const response = await responding;
    response.on('error', () => {});
    response.resume();
    await plane.restart();
    await until('the log ends', () => response.closed);
    await until('the agent is told', () => tunnel.ended());
    await member.reconnect();
  });
});
