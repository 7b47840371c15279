// One agent's stream on the plane: its hello opens a session, its messages go to that, and whichever end ends it, the
// session ends.
import { type Hello, type SyncRequest, SyncResponse } from '@fleetset/proto/gen/fleetset/v1/node';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Session } from '../fleet/fleet.ts';
import { createOutbox } from './outbox.ts';
import type { Peer } from './peer-identity.ts';
import type { SyncSessions } from './sync-sessions.ts';

const HELLO_TIMEOUT_MS = 10_000;
/** An agent that reads this far behind is cut off; it connects anew and is told the newest only. */
const UNREAD_LIMIT_BYTES = 32 * 1024 * 1024;

/** Answers are encoded before they are written, so that their size is known while they wait. */
export type SyncCall = Pick<
  ServerDuplexStream<SyncRequest, Buffer>,
  'write' | 'end' | 'emit' | 'destroyed'
> & {
  readonly on: (event: string, listener: (message: SyncRequest) => void) => unknown;
};

export interface SyncServing {
  readonly sessions: SyncSessions;
  readonly onFailure: (error: unknown, what: string) => void;
}

interface EndableCall {
  readonly emit: (event: 'error', error: { code: number; details: string }) => boolean;
}

export const endCall = (call: EndableCall, code: number, details: string): void =>
  void call.emit('error', { code, details });

/** The stream of a peer whose certificate was looked at. */
export function serveSync(call: SyncCall, peer: Peer, parts: SyncServing): void {
  let session: Session | undefined;
  const gone = new AbortController();
  const late = setTimeout(() => endCall(call, status.DEADLINE_EXCEEDED, 'no hello came'), HELLO_TIMEOUT_MS);
  const leave = () => {
    clearTimeout(late);
    gone.abort();
    if (session) parts.sessions.left(session);
    session = undefined;
  };
  call.on('data', ({ message }: SyncRequest) => {
    try {
      if (!message) return;
      if (session) parts.sessions.receive(session, message);
      else if (message.$case === 'hello') {
        clearTimeout(late);
        const opened = openSession(call, peer, message.value, gone.signal);
        if (parts.sessions.admit(peer, message.value, opened)) session = opened;
      }
    } catch (error) {
      parts.onFailure(error, `a message of node ${peer.nodeName}`);
      endCall(call, status.INTERNAL, 'the plane could not serve the message: see its log');
    }
  });
  call.on('end', () => {
    leave();
    call.end();
  });
  call.on('cancelled', leave);
  call.on('close', leave);
  call.on('error', leave);
}

type Answer = NonNullable<SyncResponse['message']>;

/** Messages that many are sent are encoded once. */
const encoded = new WeakMap<Answer, Buffer>();

function bytesOf(message: Answer): Buffer {
  const known = encoded.get(message);
  if (known) return known;
  const bytes = Buffer.from(SyncResponse.encode({ message }).finish());
  if (message.$case === 'bodies') encoded.set(message, bytes);
  return bytes;
}

function openSession(call: SyncCall, peer: Peer, hello: Hello, gone: AbortSignal): Session {
  let ended = false;
  const outbox = createOutbox((bytes, written) => void call.write(bytes, written));
  const end = (code: number, message: string) => {
    if (ended) return;
    ended = true;
    // What was sent before the end is to arrive before it.
    setImmediate(() => outbox.whenEmpty(() => endCall(call, code, message)));
  };
  const cutOff = () => {
    ended = true;
    outbox.drop();
    endCall(call, status.RESOURCE_EXHAUSTED, 'the agent reads too slowly');
  };
  return {
    nodeName: peer.nodeName,
    instanceId: hello.instanceId,
    machineId: hello.machineId,
    agentVersion: hello.agentVersion,
    isBlank: hello.accepted === undefined,
    gone,
    end,
    send: (message) => {
      if (ended || call.destroyed) return;
      outbox.put(bytesOf(message));
      if (outbox.waitingBytes() > UNREAD_LIMIT_BYTES) cutOff();
    },
  };
}
