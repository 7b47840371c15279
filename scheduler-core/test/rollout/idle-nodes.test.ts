// Rule 16: what nodes may begin with that run no pod now and ran one before: what every node should have, or where some
// are held back, the revision that has proved itself.
import { idleGrants, idleTarget } from '@fleetset/scheduler-core/rollout/idle-nodes';
import { type Pacing, pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import type { RolloutPhase, RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import { expect, test } from 'vitest';
import { fleet } from './nodes-in-words.ts';

test.each([
  ['away, with the grant of before', 'a Leave granted:old', 'a'],
  ['away for a taint', 'a Keep granted:old', 'a'],
  ['never granted anything: it begins when the plane has heard of it', 'a Leave', ''],
  ['granted that already', 'a Leave granted:new', ''],
  ['with its pod still there', 'a old Leave, b old Keep', ''],
  ['to run one: it is planned for', 'a granted:old', ''],
  ['not connected, or silent', 'a Leave granted:old off, b Leave granted:old lost', ''],
  ['yet to answer: its pod may be on the way', 'a Leave granted:old behind', ''],
])('a node %s', (_sentence, nodes, expected) => {
  const grants = idleGrants(fleet(nodes), 'new');
  expect(grants.map(({ node }) => node).join(' ')).toBe(expected);
  expect(grants.every(({ revision }) => revision === 'new')).toBe(true);
  expect(idleGrants(fleet(nodes), undefined)).toEqual([]);
});

const plain = pacingOf('a test', undefined);
const record = (phase: RolloutPhase, wave = 0): RolloutRecord => ({
  newest: 'new',
  stable: 'old',
  phase,
  reason: '',
  message: '',
  wave,
  failures: {},
  attempt: 1,
  aside: [],
});
const waves: Pacing['waves'] = [{ name: 'canary', nodeSelector: {}, nodes: 1, soakMs: 0, manual: false }];

test.each<[string, RolloutRecord, Partial<Pacing>, string]>([
  ['an update of all nodes', record('Progressing'), {}, 'new'],
  ['a paused one', record('Progressing'), { paused: true }, 'old'],
  ['its first steps', record('Progressing'), { waves }, 'old'],
  ['the rest after its steps', record('Progressing', 1), { waves }, 'new'],
  ['one that keeps nodes back', record('Progressing'), { partition: '10%' }, 'old'],
  ['one that has stopped', record('Stopped'), {}, 'old'],
  ['one that is complete', record('Complete'), { waves, partition: 1 }, 'new'],
])('in %s', (_sentence, before, pacing, expected) => {
  const parts = { record: before, target: 'new', fallback: 'old' };
  expect(idleTarget(parts, { ...plain, ...pacing })).toBe(expected);
});
test('after a rollback, and where nothing has proved itself', () => {
  expect(idleTarget({ record: record('RolledBack'), target: 'old', fallback: 'old' }, plain)).toBe('old');
  expect(idleTarget({ record: record('Stopped'), target: 'new' }, plain)).toBeUndefined();
});
