// One word for where a node stands.
import { expect, it } from 'vitest';
import { nodeStanding, type StandingInput } from '../../src/rollout/node-standing.ts';

const pod = (revision: string, available = true, terminating = false) => ({
  revision,
  available,
  terminating,
});
const node = (more: Partial<StandingInput>): StandingInput => ({
  target: 'new',
  granted: 'new',
  lost: false,
  failedWith: undefined,
  pods: [],
  ...more,
});

it.each<[string, string, Partial<StandingInput>]>([
  ['Updated', 'the revision is available', { pods: [pod('new')] }],
  ['Updated', 'and the one before it is still being stopped', { pods: [pod('old', true, true), pod('new')] }],
  ['Updated', 'although it failed once', { failedWith: 'new', pods: [pod('new')] }],
  ['Updating', 'granted, and nothing runs yet', {}],
  ['Updating', 'the new pod is not available', { pods: [pod('old'), pod('new', false)] }],
  ['Updating', 'the new pod goes away again', { pods: [pod('new', true, true)] }],
  [
    'Updating',
    'on its way back from the revision that failed',
    { failedWith: 'other', pods: [pod('other', false)] },
  ],
  ['Failed', 'it failed with what it should have', { failedWith: 'new', pods: [pod('new', false)] }],
  ['Waiting', 'granted another one', { granted: 'old', pods: [pod('old')] }],
  ['Waiting', 'granted nothing', { granted: undefined }],
  ['Silent', 'nothing is heard of it', { lost: true, pods: [pod('new')] }],
])('%s: %s', (standing, _why, more) => {
  expect(nodeStanding(node(more))).toBe(standing);
});
