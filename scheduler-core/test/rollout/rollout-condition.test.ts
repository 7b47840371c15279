// What the condition Progressing says: what nodes wait for, and nothing that is not so.
import { pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import {
  progressingCondition,
  rolloutEvents,
  type Standing,
} from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import { expect, test } from 'vitest';

const RECORD: RolloutRecord = {
  newest: 'two',
  stable: 'one',
  phase: 'Progressing',
  reason: '',
  message: '',
  wave: 0,
  failures: {},
  attempt: 1,
  aside: [],
};
const failed = { reason: 'ProgressDeadlineExceeded', message: 'no node came nearer in 60 s' } as const;
const late = 'on the way back no node came nearer in 60 s';
const turn = (node: string) => ({ node, reason: 'waits for its turn' });
const silent = (node: string) => ({ node, reason: 'the node is silent', silent: true }) as const;
const nobody: Standing = { nodes: 3, waits: [] };
const pulling = { node: 'a', reason: 'container web waits (ErrImagePull)', others: 0 };

test.each<[string, Partial<RolloutRecord>, Partial<Standing>, boolean, string]>([
  [
    'who keeps the others waiting, and why, comes first',
    {},
    { underWay: pulling, waits: [turn('b'), turn('c')] },
    false,
    'True RolloutProgressing: nodes move to revision two; waiting for a: container web waits (ErrImagePull); b: waits for its turn, and 1 more waits',
  ],
  [
    'several on their way are counted',
    {},
    { underWay: { ...pulling, others: 2 } },
    false,
    'True RolloutProgressing: nodes move to revision two; waiting for a: container web waits (ErrImagePull), and 2 more on their way',
  ],
  [
    'where nobody is on the way, what the first waits for',
    {},
    { waits: [{ node: 'b', reason: 'held by ann' }] },
    false,
    'True RolloutProgressing: nodes move to revision two; b: held by ann',
  ],
  ['between two nodes', {}, {}, false, 'True RolloutProgressing: nodes move to revision two'],
  ['a pause', {}, { waits: [turn('b')] }, true, 'Unknown RolloutPaused: paused by a policy'],
  ['all there', { phase: 'Complete' }, {}, false, 'True RolloutComplete: every node has revision two'],
  [
    'not every node, while one is silent',
    { phase: 'Complete' },
    { waits: [silent('c')] },
    false,
    'True RolloutComplete: the rollout of revision two is complete; set aside until they return: c',
  ],
  [
    'who really waits, and apart from them those that are set aside',
    {},
    { waits: [silent('a'), turn('b'), silent('c'), turn('d')] },
    false,
    'True RolloutProgressing: nodes move to revision two; b: waits for its turn, and 1 more waits; set aside until they return: a, and 1 more silent',
  ],
  [
    'a rollback that is over',
    { phase: 'RolledBack', ...failed },
    {},
    false,
    'False ProgressDeadlineExceeded: revision two has failed, and one is back: no node came nearer in 60 s',
  ],
  [
    'a change that settles comes before any verdict',
    { phase: 'RolledBack', ...failed },
    { settling: true },
    false,
    'True RolloutProgressing: a change becomes a revision as soon as no other follows it',
  ],
  [
    'what has failed and goes on (onFailure Continue)',
    failed,
    { waits: [turn('b')] },
    false,
    'False ProgressDeadlineExceeded: revision two has failed, and goes on: no node came nearer in 60 s; b: waits for its turn',
  ],
  [
    'the same, paused',
    failed,
    {},
    true,
    'False ProgressDeadlineExceeded: revision two has failed, and is paused by a policy: no node came nearer in 60 s',
  ],
  [
    'a rollback that is paused',
    { phase: 'RollingBack', ...failed },
    {},
    true,
    'False ProgressDeadlineExceeded: revision two has failed, and one waits to come back, paused by a policy: no node came nearer in 60 s',
  ],
  [
    'all there, but for a node that was broken before',
    { phase: 'Complete', broken: ['c'] },
    {},
    false,
    'True RolloutComplete: every node has revision two, but for c, broken before it began',
  ],
  [
    'a rollback that is late: what keeps it, and since when',
    { phase: 'RollingBack', ...failed, late },
    { underWay: { ...pulling, since: '10:00' }, waits: [turn('b'), silent('c')] },
    false,
    'False RollbackDeadlineExceeded: revision two has failed, and one comes back: no node came nearer in 60 s; on the way back no node came nearer in 60 s; waiting for a: container web waits (ErrImagePull), since 10:00; b: waits for its turn; set aside until they return: c',
  ],
  [
    'a rollback that is late and paused, where nobody is on the way',
    { phase: 'RollingBack', ...failed, late },
    { waits: [{ node: 'b', reason: 'paused by a policy' }] },
    true,
    'False RollbackDeadlineExceeded: revision two has failed, and one waits to come back, paused by a policy: no node came nearer in 60 s; on the way back no node came nearer in 60 s; b: paused by a policy',
  ],
  [
    'an undo that is late',
    { newest: 'one', late },
    { underWay: { ...pulling, since: '10:00', others: 1 } },
    false,
    'False RollbackDeadlineExceeded: nodes move to revision one; on the way back no node came nearer in 60 s; waiting for a: container web waits (ErrImagePull), since 10:00, and 1 more on their way',
  ],
  [
    'a change that settles comes before a rollback that is late',
    { phase: 'RollingBack', ...failed, late },
    { settling: true },
    false,
    'True RolloutProgressing: a change becomes a revision as soon as no other follows it',
  ],
  [
    'since when it is so is told of nobody who is not late',
    {},
    { underWay: { ...pulling, since: '10:00' } },
    false,
    'True RolloutProgressing: nodes move to revision two; waiting for a: container web waits (ErrImagePull)',
  ],
  ['no node', {}, { nodes: 0 }, false, 'True RolloutComplete: no node should run it: nothing to do'],
])('%s', (_sentence, record, standing, paused, expected) => {
  const { status, reason, message } = progressingCondition(
    { ...RECORD, ...record },
    pacingOf('a policy', { paused }),
    { nodes: 3, waits: [], ...standing },
    undefined,
    'now',
  );
  expect(`${status} ${reason}: ${message}`).toBe(expected);
});

test('an event tells once of a rollout that has failed and goes on', () => {
  const failing: RolloutRecord = { ...RECORD, ...failed };
  const reason = 'ProgressDeadlineExceeded';
  const message = 'revision two has failed, and goes on: no node came nearer in 60 s';
  expect(rolloutEvents(RECORD, failing, nobody)).toEqual([{ type: 'Warning', reason, message }]);
  expect(rolloutEvents(failing, { ...failing, message: 'no node came nearer in 70 s' }, nobody)).toEqual([]);
  expect(rolloutEvents(failing, RECORD, nobody)).toEqual([]);
});

test.each<[string, Partial<RolloutRecord>]>([
  ['a rollback', { phase: 'RollingBack', ...failed }],
  ['an undo', { newest: 'one' }],
])('an event tells once that %s is late, and of which node, and again after it went on', (_what, more) => {
  const record: RolloutRecord = { ...RECORD, ...more };
  const standing = { ...nobody, underWay: { ...pulling, since: '10:00' } };
  const message = `revision one does not come back: ${late}; waiting for a: container web waits (ErrImagePull), since 10:00`;
  const told = [{ type: 'Warning', reason: 'RollbackDeadlineExceeded', message }];
  expect(rolloutEvents(record, { ...record, late }, standing)).toEqual(told);
  expect(rolloutEvents({ ...record, late }, { ...record, late }, standing)).toEqual([]);
  expect(rolloutEvents({ ...record, late }, record, standing)).toEqual([]);
});

test.each<[string, Partial<RolloutRecord>, Partial<RolloutRecord>, string]>([
  ['the reason alone', {}, { phase: 'Complete' }, 'then'],
  ['nothing', { phase: 'Complete' }, { phase: 'Complete' }, 'then'],
  ['the status', {}, { phase: 'RolledBack', ...failed }, 'now'],
  ['the status of an undo that is late', { newest: 'one' }, { newest: 'one', late }, 'now'],
  ['the status, back', { newest: 'one', late }, { newest: 'one' }, 'now'],
])('since when it is so, as with Deployments, after a change of %s', (_sentence, from, to, expected) => {
  const standing = { nodes: 3, waits: [] };
  const at = (record: Partial<RolloutRecord>) =>
    [{ ...RECORD, ...record }, pacingOf('a policy', {}), standing] as const;
  const before = progressingCondition(...at(from), undefined, 'then');
  expect(progressingCondition(...at(to), before, 'now').lastTransitionTime).toBe(expected);
});
