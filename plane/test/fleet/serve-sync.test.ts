// What many agents are told is made once.
import { EventEmitter } from 'node:events';
import { SyncResponse } from '@fleetset/proto/gen/fleetset/v1/node';
import { expect, it } from 'vitest';
import type { Session } from '../../src/fleet/fleet.ts';
import { type SyncCall, serveSync } from '../../src/sync/serve-sync.ts';

/** A stream that has said hello. */
function stream(nodeName: string) {
  const written: Buffer[] = [];
  const events = new EventEmitter();
  let session: Session | undefined;
  const call = Object.assign(events, {
    destroyed: false,
    write: (bytes: Buffer, done: () => void) => {
      written.push(bytes);
      done();
      return true;
    },
    end: () => {},
  }) as unknown as SyncCall;
  serveSync(
    call,
    { nodeName, keyHash: nodeName },
    {
      sessions: {
        admit: (_peer, _hello, opened) => {
          session = opened;
          return true;
        },
        receive: () => {},
        left: () => {},
      },
      onFailure: (error) => {
        throw error;
      },
    },
  );
  const hello = {
    protocol: 1,
    agentVersion: '',
    instanceId: '',
    machineId: '',
    accepted: undefined,
    held: undefined,
  };
  events.emit('data', { message: { $case: 'hello', value: hello } });
  const send: Session['send'] = (message) => session?.send(message);
  return { written, send, close: () => events.emit('close') };
}

it('bodies that are sent to many are encoded once', () => {
  const [first, second] = [stream('first'), stream('second')];
  const bodies = [{ hash: 'h', content: Buffer.from('content') }];
  const message = { $case: 'bodies' as const, value: { bodies } };
  for (const { send } of [first, second]) send(message);
  expect(SyncResponse.decode(first.written[0] as Buffer)).toMatchObject({ message: { value: { bodies } } });
  expect(second.written[0]).toBe(first.written[0]);
  for (const { close } of [first, second]) close();
});
