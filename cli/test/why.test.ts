// What `fleetset why` says of one node.
import { expect, it } from 'vitest';
import { describePlacement } from '../src/commands/why.ts';

it('names the node that a way back waits for, beside what this one waits for', () => {
  const status = {
    decision: 'Run',
    decidedBy: 'Agent',
    grantedRevision: 'two',
    newestRevision: 'two',
    waiting: 'waits for its turn: 1 of at most 1 nodes are unavailable (b)',
    late: 'on the way back no node came nearer in 600 s; waiting for b: it fell silent after it got it, since 2030-01-02T03:04:05Z',
    state: 'Waiting',
    progress: 'run, granted to this node',
  };
  expect(describePlacement({ status }, 'a', 'default', 'web')).toEqual([
    'Run: a pod belongs here (default/web on a, decided by the agent of a)',
    '  Revision: two, the newest',
    '  Waiting: waits for its turn: 1 of at most 1 nodes are unavailable (b)',
    '  Late: on the way back no node came nearer in 600 s; waiting for b: it fell silent after it got it, since 2030-01-02T03:04:05Z',
    '  Now: run, granted to this node',
  ]);
});
