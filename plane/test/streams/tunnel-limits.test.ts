// No stream that an agent dials stays for ever when nobody says anything on it.
import { type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TunnelLimits } from '../../src/sync/tunnels.ts';
import { joinMember } from '../support/hollow-member.ts';
import { nextTunnel, tunnelCount } from '../support/hollow-tunnel.ts';
import { PODS } from '../support/manifests.ts';
import { showPod } from '../support/shown-pod.ts';
import { startTestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';
import { openTerminal } from '../support/upgrading-client.ts';

async function started(tunnelLimits: Partial<TunnelLimits>) {
  const plane = await startTestPlane({ tunnelLimits });
  const member = await joinMember(plane);
  onTestFinished(async () => {
    member.leave();
    await plane.stop();
  });
  return { plane, member, pod: await showPod(plane, member, 'web', ['main']) };
}

describe('a stream that an agent dials', () => {
  it('and does not say what for is ended', async () => {
    const { member } = await started({ dialMs: 200 });
    const call = member.stream.carry();
    const code = await new Promise((resolve) =>
      call.on('error', ({ code: ended }: ServiceError) => resolve(ended)),
    );
    expect(code).toBe(status.DEADLINE_EXCEEDED);
  });

  it('and never answers on is ended, and whoever waits for it told', async () => {
    const { plane, member, pod } = await started({ answerMs: 200 });
    const asked = plane.api.call('GET', `${PODS}/${pod.name}/log`);
    const agent = await nextTunnel(member.stream, 0);
    const { status: code, json } = await asked;
    expect([code, json.message]).toEqual([503, `node ${member.name} did not answer in time`]);
    await until('it ends', agent.ended);
  });

  it('and falls silent on is ended, but for a log', async () => {
    const { plane, member, pod } = await started({ idleMs: 1000 });
    const log = plane.api.stream(`${PODS}/${pod.name}/log?follow=true`);
    const logging = await nextTunnel(member.stream, 0);
    logging.answer(200);
    const lines = await log;
    const known = tunnelCount(member.stream);
    const opening = openTerminal(
      plane,
      `${PODS}/${pod.name}/exec?command=cat&stdout=true`,
      'v5.channel.k8s.io',
    );
    const agent = await nextTunnel(member.stream, known);
    agent.answer(200);
    const client = await opening;
    expect(await client.status()).toMatchObject({
      status: 'Failure',
      message: 'nothing was said for too long',
    });
    await until('it ends', agent.ended);
    await logging.send({ $case: 'data', value: Buffer.from('late\n') });
    expect(String((await lines[Symbol.asyncIterator]().next()).value)).toBe('late\n');
    lines.destroy();
  });
});
