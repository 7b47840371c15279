// What a Node shows of when it was heard.
import { describe, expect, it } from 'vitest';
import { freshHeartbeats } from '../../src/fleet/compose-node.ts';

const at = (lastHeartbeatTime: string) => ({ type: 'Ready', status: 'True', lastHeartbeatTime });

describe('the heartbeat of a node that is heard', () => {
  const recent = [at('2030-01-01T00:00:00Z'), at('2030-01-01T00:04:00Z')];
  it('is written anew when it is five minutes old, for all conditions', () => {
    expect(freshHeartbeats(recent, '2030-01-01T00:05:00Z')).toEqual([
      at('2030-01-01T00:05:00Z'),
      at('2030-01-01T00:05:00Z'),
    ]);
  });
  it('and not before', () => {
    expect(freshHeartbeats(recent, '2030-01-01T00:04:59Z')).toBe(recent);
  });
});
