// Bodies on their way to an agent: what it asks for, and what it is about to be told of for the first time.
import type { Body, SyncResponse } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Session } from '../fleet/fleet.ts';
import type { BodyBook } from './body-book.ts';

type Message = NonNullable<SyncResponse['message']>;

/** Well under what one message may hold, the largest body included. */
const BODIES_BYTES = 4 * 1024 * 1024;
/** A template and its rules. More is asked for, each node in its turn: to ask takes little longer then. */
const AHEAD_BYTES = 16 * 1024;

/** In as many messages as it takes; at least one, so that an agent that asks is never without an answer. */
export function sendBodies(bodies: BodyBook, session: Session, hashes: Iterable<string>): void {
  let batch: Body[] = [];
  let bytes = 0;
  const flush = () => {
    session.send(messageOf(batch));
    batch = [];
    bytes = 0;
  };
  for (const body of known(bodies, hashes)) {
    if (batch.length > 0 && bytes + body.content.length > BODIES_BYTES) flush();
    batch.push(body);
    bytes += body.content.length;
  }
  flush();
}

export type SendAhead = (session: Session, hashes: readonly string[]) => void;

/** Before what names them: to ask for them would take longer. Nodes that are told the same get the same message. */
export function createSendAhead(bodies: BodyBook): SendAhead {
  const messages = new Map<string, Message>();
  return (session, hashes) => {
    const key = hashes.join();
    const made = messages.get(key);
    if (made) return session.send(made);
    const ahead = withinAhead([...known(bodies, hashes)]);
    if (ahead.length === 0) return;
    const message = messageOf(ahead);
    messages.set(key, message);
    session.send(message);
  };
}

const messageOf = (bodies: Body[]): Message => ({ $case: 'bodies', value: { bodies } });

function* known(bodies: BodyBook, hashes: Iterable<string>): Generator<Body> {
  for (const hash of hashes) {
    const content = bodies.content(hash);
    if (content) yield { hash, content };
  }
}

function withinAhead(bodies: readonly Body[]): Body[] {
  let room = AHEAD_BYTES;
  return bodies.filter(({ content }) => {
    const fits = content.length <= room;
    if (fits) room -= content.length;
    return fits;
  });
}
