// Images of a registry that asks who one is, by the pod's pull secrets: a real registry, a real engine.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startAgent } from '../src/agent.ts';
import { ownerOf, writeIdentity } from '../src/identity/identity-files.ts';
import { bodiesNamed, type DesiredParts, desired, template, toldConfig, toldSet } from './desired.ts';
import { docker, openProxy, removeContainersOf } from './docker-engine.ts';
import type { EngineProxy } from './engine-proxy.ts';
import { TEST_IMAGE } from './pods.ts';
import { openScriptedPlane, type PlaneSession, type ScriptedPlane } from './scripted-plane.ts';
import { until } from './wait-until.ts';

const NODE = 'pulling-node';
const ROOT = join(import.meta.dirname, '../..');
const USER = 'reader';
const PASSWORD = 'open sesame';
/** As htpasswd writes it. */
const ENTRY = `${USER}:$2b$04$75zRNwPrAOghrVClDMgR2.JDjt2.FA0YztWdy1DR/UcK/mzwbHS3m\n`;

let plane: ScriptedPlane;
let proxy: EngineProxy;
let agent: Agent;
let session: PlaneSession;
let directory: string;
let registry: ChildProcess;
let image: string;
let counter = 0;

beforeAll(async () => {
  plane = await openScriptedPlane();
  proxy = await openProxy();
  directory = await mkdtemp(join(tmpdir(), 'fleetset-pull-secrets-'));
  const port = await freePort();
  registry = await startRegistry(port);
  image = `127.0.0.1:${port}/private/web:1`;
  await push(image);
  await writeIdentity(directory, plane.identity(NODE));
  agent = await startAgent({
    dataDir: directory,
    dockerSocket: proxy.socketPath,
    labels: {},
    taints: [],
    version: '0.1.0-test',
    logger: pino({ enabled: false }),
  });
  session = await plane.nextSession();
  session.welcome();
}, 180_000);
afterAll(async () => {
  await agent.stop();
  await removeContainersOf(ownerOf(plane.identity(NODE)));
  await docker.getImage(image).remove({ force: true });
  registry.kill();
  await proxy.close();
  await plane.goDown();
  await rm(directory, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function startRegistry(port: number): Promise<ChildProcess> {
  const { stdout } = await promisify(execFile)(join(ROOT, 'hack/registry'));
  const users = join(directory, 'users');
  await writeFile(users, ENTRY);
  const config = join(directory, 'registry.yml');
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(directory, 'images') } },
      http: { addr: `127.0.0.1:${port}` },
      auth: { htpasswd: { realm: 'fleetset', path: users } },
    }),
  );
  const child = spawn(stdout.trim(), ['serve', config], { stdio: 'ignore' });
  await until('the registry asks who one is', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    return answer?.status === 401;
  });
  return child;
}

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

function tell(configs: NonNullable<DesiredParts['configs']>): void {
  counter += 1;
  const spec = {
    imagePullSecrets: configs.map(({ told }) => ({ name: told.name })),
    containers: [
      { name: 'app', image, command: ['sleep', '1000'], imagePullPolicy: 'IfNotPresent' as const },
    ],
    terminationGracePeriodSeconds: 1,
  };
  const parts: DesiredParts = {
    counter,
    configs,
    daemonSets: [toldSet('web', { template: template(spec) })],
  };
  session.send({
    $case: 'bodies',
    value: { bodies: bodiesNamed(parts).map(({ hash, content }) => ({ hash, content })) },
  });
  session.send({ $case: 'desired', value: desired(parts) });
}

const pod = () => session.all('report').at(-1)?.pods[0];
const events = () => session.all('report').flatMap((report) => report.events);
const waitingFor = () =>
  JSON.parse(pod()?.statusJson ?? '{}').containerStatuses?.[0]?.state?.waiting?.reason as string | undefined;

describe('a pod whose image is behind a login', () => {
  it('waits with the reason while its secret does not open, and starts at once when one does', async () => {
    tell([toldConfig('Secret', 'login', login('wrong'))]);
    await until('it waits', () => waitingFor() === 'ErrImagePull' || waitingFor() === 'ImagePullBackOff');
    expect(events().filter(({ reason }) => reason === 'Failed')).not.toEqual([]);
    expect(proxy.requests.join('\n')).not.toContain('wrong');

    // There is none: it is said which, and the pull is tried all the same.
    tell([toldConfig('Secret', 'login')]);
    const missing = () => events().find(({ reason }) => reason === 'FailedToRetrieveImagePullSecret');
    await until('the missing one is named', missing);
    expect(missing()?.message).toContain('(login)');

    tell([toldConfig('Secret', 'login', login(PASSWORD))]);
    await until('it runs', () => pod()?.ready);
  });
});
