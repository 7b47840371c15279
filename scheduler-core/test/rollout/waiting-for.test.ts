// Proves what people are told of a rollout that stands still, and when it is still the same.
import type { Standing } from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { RolloutPhase } from '@fleetset/scheduler-core/rollout/rollout-record';
import { waitingFor } from '@fleetset/scheduler-core/rollout/waiting-for';
import { expect, test } from 'vitest';

const turn = (node: string, down = 1) => ({ node, reason: `waits for its turn: ${down} of at most 2` });
const silent = (node: string) => ({ node, reason: 'the node is silent', silent: true }) as const;
const onItsWay = { node: 'a', reason: 'container main waits (ErrImagePull)', others: 0 };
const some: Standing = { nodes: 3, underWay: onItsWay, waits: [turn('b'), turn('c')] };
const waiting = (standing: Standing, phase: RolloutPhase = 'Progressing', moving = true) =>
  waitingFor({ phase }, { target: 'new', moving, progressAt: 7 }, standing);

test('the node on its way with why, and the first that waits', () => {
  expect(waiting(some)?.message).toBe(
    'nodes move to revision new; waiting for a: container main waits (ErrImagePull); b: waits for its turn: 1 of at most 2, and 1 more waits',
  );
});

test.each<[string, Standing, RolloutPhase, boolean]>([
  ['under way', some, 'Progressing', true],
  ['on the way back', some, 'RollingBack', true],
  ['over, or stopped, whoever waits', some, 'Stopped', false],
  ['back, whoever waits', some, 'RolledBack', false],
  ['complete, but for a silent node', some, 'Complete', false],
  ['about to be another one', { ...some, settling: true }, 'Progressing', false],
  ['waiting for none but nodes that are set aside', { nodes: 3, waits: [silent('a')] }, 'Progressing', false],
  ['watched, with nobody who waits', { nodes: 3, waits: [] }, 'Progressing', false],
])('told of one that is %s', (_sentence, standing, phase, expected) => {
  expect(waiting(standing, phase) !== undefined).toBe(expected);
});

test('it is the same whoever waits and however many, until a reason is another', () => {
  const what = (standing: Partial<Standing>) => waiting({ ...some, ...standing })?.what;
  expect(what({ waits: [turn('d', 2)] })).toBe(what({}));
  expect(what({ waits: [silent('a'), turn('b')] })).toBe(what({}));
  expect(what({ waits: [{ node: 'b', reason: 'held by ann' }] })).not.toBe(what({}));
  expect(what({ underWay: { ...onItsWay, reason: 'it fell silent' } })).not.toBe(what({}));
});

test('progress counts where nodes could move', () => {
  expect(waiting(some)?.progressAt).toBe(7);
  expect(waiting(some, 'Progressing', false)).not.toHaveProperty('progressAt');
});
