// Images of a registry that asks who one is, by the pod's pull secrets: a real registry, a real engine (rule 98).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodAccount } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestRegistry, type TestRegistry } from '../../hack/lib/test-registry.ts';
import { type DesiredParts, template, toldConfig, toldSet } from './desired.ts';
import { containersOf, docker, removeContainersOf } from './docker-engine.ts';
import { TEST_IMAGE } from './pods.ts';
import { type DockerAgent, openDockerAgent } from './support/docker-agent.ts';

const USER = 'reader';
const PASSWORD = 'open sesame';
/** As htpasswd writes it. */
const ENTRY = `${USER}:$2b$04$75zRNwPrAOghrVClDMgR2.JDjt2.FA0YztWdy1DR/UcK/mzwbHS3m\n`;

let agent: DockerAgent;
let directory: string;
let registry: TestRegistry;
let image: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetset-pull-secrets-'));
  registry = await startTestRegistry(directory, ENTRY);
  image = `127.0.0.1:${registry.port}/private/web:1`;
  await push(image);
  agent = await openDockerAgent('pulling-node');
});
afterAll(async () => {
  await agent.stop();
  await docker.getImage(image).remove({ force: true });
  await registry.stop();
  await rm(directory, { recursive: true, force: true });
});

/** And takes it from the engine, so that it has to be pulled. */
async function push(name: string): Promise<void> {
  const [repo, tag] = [name.slice(0, name.lastIndexOf(':')), name.slice(name.lastIndexOf(':') + 1)];
  await docker.getImage(TEST_IMAGE).tag({ repo, tag });
  const progress = await docker
    .getImage(name)
    .push({ authconfig: { username: USER, password: PASSWORD, serveraddress: repo.split('/')[0] ?? '' } });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
  });
  await docker.getImage(name).remove({ force: true });
}

const login = (password: string) => ({
  '.dockerconfigjson': JSON.stringify({
    auths: { [image.split('/')[0] ?? '']: { auth: Buffer.from(`${USER}:${password}`).toString('base64') } },
  }),
});

function tell(configs: NonNullable<DesiredParts['configs']>, account?: PodAccount): void {
  const spec = {
    ...(account ? {} : { imagePullSecrets: configs.map(({ told }) => ({ name: told.name })) }),
    containers: [
      { name: 'app', image, command: ['sleep', '1000'], imagePullPolicy: 'IfNotPresent' as const },
    ],
    terminationGracePeriodSeconds: 1,
  };
  agent.tell({
    configs,
    daemonSets: [toldSet('web', { template: template(spec), ...(account ? { account } : {}) })],
  });
}

const pod = () => agent.pods()[0];
const waitingFor = () =>
  JSON.parse(pod()?.statusJson ?? '{}').containerStatuses?.[0]?.state?.waiting?.reason as string | undefined;

describe('a pod whose image is behind a login', () => {
  it('waits with the reason while its secret does not open, and starts at once when one does', async () => {
    tell([toldConfig('Secret', 'login', login('wrong'))]);
    await agent.comes(
      'it waits',
      () => waitingFor() === 'ErrImagePull' || waitingFor() === 'ImagePullBackOff',
    );
    expect(agent.events().filter(({ reason }) => reason === 'Failed')).not.toEqual([]);
    expect(agent.proxy.requests.join('\n')).not.toContain('wrong');

    // There is none: it is said which, and the pull is tried all the same.
    tell([toldConfig('Secret', 'login')]);
    const missing = () => agent.events().find(({ reason }) => reason === 'FailedToRetrieveImagePullSecret');
    await agent.comes('the missing one is named', missing);
    expect(missing()?.message).toContain('(login)');

    tell([toldConfig('Secret', 'login', login(PASSWORD))]);
    await agent.comes('it runs', () => pod()?.ready);
  });
});

describe('a pod whose ServiceAccount has the login', () => {
  const account = { name: 'default', missing: false, mount: false, pullSecrets: ['of-the-account'] };

  it('is pulled with it, also when the agent starts anew without the plane and image and containers are gone', async () => {
    agent.tell({ daemonSets: [] });
    await agent.comes('the other is gone', () => agent.pods().length === 0);
    await docker.getImage(image).remove({ force: true });
    tell([toldConfig('Secret', 'of-the-account', login(PASSWORD))], account);
    await agent.comes('it runs', () => pod()?.ready);
    expect(pod()?.pullSecrets).toEqual(['of-the-account']);
    const uid = pod()?.uid;
    await agent.restartAlone(async () => {
      await removeContainersOf(agent.owner);
      await docker.getImage(image).remove({ force: true });
    });
    const [container] = await agent.comes('it runs again', async () => {
      const running = (await containersOf(agent.owner)).filter(({ State }) => State === 'running');
      return running.length > 0 && running;
    });
    expect(container?.Labels['io.kubernetes.pod.uid']).toBe(uid);
  });
});
