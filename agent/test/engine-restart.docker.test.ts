// A real Docker engine that is restarted again and again under an agent: its pods are back at once each time, as none has
// crashed; with live-restore nothing happens to them at all.
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { template, toldSet } from './desired.ts';
import { TEST_IMAGE } from './pods.ts';
import { openDockerAgent } from './support/docker-agent.ts';
import { holdSocket } from './support/held-socket.ts';
import { startOwnEngine } from './support/own-engine.ts';
import { tempDirectory } from './temp-directory.ts';

/** A pod that crashed so often would wait for minutes. */
const ROUNDS = 5;

async function start(node: string, options: { readonly liveRestore?: boolean; readonly held?: boolean }) {
  const engine = await startOwnEngine(options);
  onTestFinished(engine.remove);
  const path = join(await tempDirectory(), 'docker.sock');
  const socket = options.held ? await holdSocket(path, engine.socketPath) : undefined;
  onTestFinished(() => socket?.close());
  const agent = await openDockerAgent(node, { dockerSocket: socket ? path : engine.socketPath });
  onTestFinished(agent.stop);
  const app = {
    name: 'app',
    image: TEST_IMAGE,
    imagePullPolicy: 'IfNotPresent' as const,
    command: ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'],
  };
  agent.tell({
    daemonSets: [toldSet('web', { revision: 'web-1', template: template({ containers: [app] }) })],
  });
  await agent.comes('it is ready', () => agent.podOf('web-1')?.ready);
  const running = async () =>
    (await engine.docker.listContainers()).filter(
      ({ Labels }) => Labels['io.kubernetes.container.name'] === 'app',
    );
  const restart = async (meanwhile: () => Promise<unknown> = async () => {}) => {
    await engine.end('SIGTERM');
    await meanwhile();
    await engine.start();
  };
  return { agent, socket, running, restart };
}

describe('an engine that is restarted again and again', () => {
  it.each([
    ['and refuses who asks meanwhile', 'refusing-engine', false],
    ['and leaves who asks meanwhile without an answer', 'held-engine', true],
  ])('%s: its containers are back at once', async (_what, node, held) => {
    const { agent, socket, running, restart } = await start(node, { held });
    for (let round = 1; round <= ROUNDS; round += 1) {
      const [before] = await running();
      const waitedBefore = socket?.waited() ?? 0;
      await restart(async () => {
        // Asked while it is away, and nobody says that it is.
        if (socket) await agent.comes('somebody waits for it', () => socket.waited() > waitedBefore);
      });
      await agent.comes(`it runs again, round ${round}`, async () => {
        const [now] = await running();
        return now !== undefined && now.Id !== before?.Id;
      });
    }
    await agent.comes('it is ready again', () => agent.podOf('web-1')?.ready);
    // It is taken for a crash only until it is known that the engine went, and each time for the first.
    const said = agent.session.all('report').flatMap(({ pods }) => pods.map((pod) => pod.statusJson));
    expect(said.join('\n')).not.toMatch(/back-off (?!10s )/);
  });

  it('with live-restore: nothing happens to them', async () => {
    const { agent, socket, running, restart } = await start('live-engine', {
      liveRestore: true,
      held: true,
    });
    const before = (await running()).map(({ Id, Created }) => [Id, Created]);
    expect(before).toHaveLength(1);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const passed = Number(socket?.passed());
      await restart();
      await agent.comes(`it is asked again, round ${round}`, () => Number(socket?.passed()) > passed);
      expect((await running()).map(({ Id, Created }) => [Id, Created])).toEqual(before);
    }
    await agent.comes('it is ready', () => agent.podOf('web-1')?.ready);
    expect(agent.statusOf('web-1').containerStatuses?.[0]?.restartCount).toBe(0);
  });
});
