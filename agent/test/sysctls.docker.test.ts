// Sysctls on real Docker: those that are not safe are set where the agent's settings allow them, and a pod with another one
// has failed, as with a kubelet.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_NODE_SETTINGS } from '../src/node-settings.ts';
import { template, toldSet } from './desired.ts';
import { containersOf, docker } from './docker-engine.ts';
import { type DockerAgent, openDockerAgent } from './support/docker-agent.ts';

let agent: DockerAgent;
beforeAll(async () => {
  const node = { ...DEFAULT_NODE_SETTINGS, allowedUnsafeSysctls: ['net.core.*'] };
  agent = await openDockerAgent('sysctl-node', { node });
});
afterAll(() => agent.stop());

const tell = (revision: string, name: string) => {
  const securityContext = { sysctls: [{ name, value: '321' }] };
  agent.tell({
    daemonSets: [
      toldSet('web', {
        revision,
        template: template({ hostNetwork: false, terminationGracePeriodSeconds: 1, securityContext }),
      }),
    ],
  });
};

it('what is allowed is set, and what is not fails the pod while the one before runs on', async () => {
  tell('web-1', 'net/core/somaxconn');
  await agent.comes('it is ready', () => agent.podOf('web-1')?.ready);
  const [holder] = (await containersOf(agent.owner)).filter(
    ({ Labels }) => Labels['io.kubernetes.container.name'] === 'POD',
  );
  const { HostConfig } = await docker.getContainer(holder?.Id ?? '').inspect();
  expect(HostConfig.Sysctls).toEqual({ 'net.core.somaxconn': '321' });
  tell('web-2', 'kernel.msgmax');
  await agent.comes('it has failed', () => agent.statusOf('web-2').phase === 'Failed');
  expect(agent.statusOf('web-2')).toMatchObject({
    reason: 'SysctlForbidden',
    message: 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted',
  });
  expect(agent.podOf('web-1')?.ready).toBe(true);
});
