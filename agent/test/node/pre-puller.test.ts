// Images that the plane announces: pulled one after the other, only for the newest announcement and as long as its stream.
import { type PrePull, type PrePullState, PrePullState_Phase } from '@fleetset/proto/gen/fleetset/v1/node';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createPrePuller } from '../../src/node/pre-puller.ts';
import { type ContainerRuntime, RuntimeError } from '../../src/runtime/container-runtime.ts';
import { until } from '../wait-until.ts';

const PHASES = new Map<PrePullState_Phase, string>([
  [PrePullState_Phase.PHASE_PULLING, 'pulling'],
  [PrePullState_Phase.PHASE_PULLED, 'pulled'],
  [PrePullState_Phase.PHASE_FAILED, 'failed'],
]);

/** Waits until what is expected is so. */
const comes = (expected: () => void) =>
  until('what is expected', () => {
    expected();
    return true;
  });

/** Pulls wait until the test ends them, or their signal does. */
function world(there: readonly string[] = []) {
  const said: string[] = [];
  const pulls: { image: string; user: string | undefined; end: (error?: Error) => void }[] = [];
  const broken: string[] = [];
  const pull: ContainerRuntime['pull'] = (image, signal, _onProgress, credential) =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => {
        broken.push(image);
        reject(signal.reason);
      });
      const end = (error?: Error) => (error ? reject(error) : resolve());
      pulls.push({ image, user: credential?.username, end });
    });
  const puller = createPrePuller({
    runtime: { pull, hasImage: async (image) => there.includes(image) },
    say: ({ id, phase, message }: PrePullState) =>
      void said.push(`${id} ${PHASES.get(phase)}${message ? `: ${message}` : ''}`),
    logger: pino({ enabled: false }),
  });
  return { said, pulls, broken, puller };
}

const announced = (id: number, ...images: string[]): PrePull => ({
  id,
  images: images.map((image) => ({
    image,
    pullPolicy: image.startsWith('always') ? 'Always' : 'IfNotPresent',
  })),
  pullSecrets: [],
});

it('one after the other, and those that are there only where the policy is Always', async () => {
  const { said, pulls, puller } = world(['there:1', 'always:1']);
  puller.take(announced(1, 'there:1', 'always:1', 'new:1'));
  await comes(() => expect(pulls.map(({ image }) => image)).toEqual(['always:1']));
  pulls[0]?.end();
  await comes(() => expect(pulls.map(({ image }) => image)).toEqual(['always:1', 'new:1']));
  expect(said).toEqual(['1 pulling']);
  pulls[1]?.end();
  await comes(() => expect(said).toEqual(['1 pulling', '1 pulled']));
});

it('what cannot be pulled is told with why', async () => {
  const { said, pulls, puller } = world();
  puller.take(announced(1, 'new:1', 'new:2'));
  await comes(() => expect(pulls).toHaveLength(1));
  pulls[0]?.end(new RuntimeError('no-space', 'the disk is full'));
  await comes(() => expect(said).toEqual(['1 pulling', '1 failed: the disk is full']));
  expect(pulls).toHaveLength(1);
});

it('a newer announcement begins when the one before it has been broken off, of which nothing more is said', async () => {
  const { said, pulls, broken, puller } = world();
  puller.take(announced(1, 'new:1', 'new:2'));
  await comes(() => expect(pulls).toHaveLength(1));
  puller.take(announced(2, 'new:3'));
  puller.take(announced(3));
  await comes(() => expect(said).toEqual(['1 pulling', '3 pulling', '3 pulled']));
  expect(broken).toEqual(['new:1']);
  expect(pulls).toHaveLength(1);
});

it('with its stream a pull ends, and nothing is said of it', async () => {
  const { said, pulls, broken, puller } = world();
  puller.take(announced(1, 'new:1', 'new:2'));
  await comes(() => expect(pulls).toHaveLength(1));
  puller.breakOff();
  await comes(() => expect(broken).toEqual(['new:1']));
  puller.take(announced(2, 'new:4'));
  await comes(() => expect(pulls).toHaveLength(2));
  expect(said).toEqual(['1 pulling', '2 pulling']);
});

it('each login that fits is tried; what is no login, or is not there, opens nothing', async () => {
  const { pulls, puller } = world();
  const secret = (name: string, text: string) => ({
    name,
    content: Buffer.from(
      text === ''
        ? ''
        : JSON.stringify({ data: { '.dockerconfigjson': Buffer.from(text).toString('base64') } }),
    ),
  });
  const login = (username: string) =>
    JSON.stringify({ auths: { 'registry.test': { username, password: 'p' } } });
  puller.take({
    ...announced(1, 'registry.test/web:1'),
    pullSecrets: [
      secret('gone', ''),
      secret('odd', 'not json'),
      secret('a', login('ann')),
      secret('b', login('bob')),
    ],
  });
  await comes(() => expect(pulls).toHaveLength(1));
  pulls[0]?.end(new RuntimeError('pull-refused', 'denied'));
  await comes(() => expect(pulls.map(({ user }) => user)).toEqual(['ann', 'bob']));
});
