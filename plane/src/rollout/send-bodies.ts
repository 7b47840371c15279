// Bodies on their way to an agent: what it asks for, and what it is about to be told of for the first time.
import type { Body } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Session } from '../fleet/fleet.ts';
import type { BodyBook } from './body-book.ts';

/** Well under what one message may hold, the largest body included. */
const BODIES_BYTES = 4 * 1024 * 1024;
/** More than this is asked for. */
const AHEAD_BYTES = 256 * 1024;

/** In as many messages as it takes; at least one, so that an agent that asks is never without an answer. */
export function sendBodies(bodies: BodyBook, session: Session, hashes: Iterable<string>): void {
  let batch: Body[] = [];
  let bytes = 0;
  const flush = () => {
    session.send({ $case: 'bodies', value: { bodies: batch } });
    batch = [];
    bytes = 0;
  };
  for (const hash of hashes) {
    const content = bodies.content(hash);
    if (!content) continue;
    if (batch.length > 0 && bytes + content.length > BODIES_BYTES) flush();
    batch.push({ hash, content });
    bytes += content.length;
  }
  flush();
}

/** Before what names them: to ask for them would take longer. What there is no room for is asked for. */
export function sendAhead(bodies: BodyBook, session: Session, hashes: readonly string[]): void {
  let room = AHEAD_BYTES;
  const ahead = hashes.filter((hash) => {
    room -= bodies.content(hash)?.length ?? room + 1;
    return room >= 0;
  });
  if (ahead.length > 0) sendBodies(bodies, session, ahead);
}
