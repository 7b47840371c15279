// Tells a node what it is to do, when that is new.
import type { Generation, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Fleet, NodeState, RulesTold, Session } from '../fleet/fleet.ts';
import type { BodyBook } from './body-book.ts';
import { bodiesOf, desiredContent } from './desired-state.ts';
import type { SendAhead } from './send-bodies.ts';

/** The generation grows only when the content is new, so that an unchanged node is told nothing. `rules`: of what is
 *  told, the same for all nodes. */
export function tellNode(
  fleet: Fleet,
  sendAhead: SendAhead,
  state: NodeState,
  desired: NodeDesired,
  rules: RulesTold,
  epoch: number,
): void {
  const { session, told } = state;
  if (!session) return;
  const content = desiredContent(desired);
  if (told?.content?.equals(content)) {
    if (state.toldSession === session) return;
    sendDesired(state, session, desired, told.generation);
    return;
  }
  const counter = (told?.generation.counter ?? 0) + 1;
  const generation = { epoch, counter };
  const bodies = bodiesOf(desired);
  fleet.change(state.name, { told: { generation, content, bodies, rules } });
  // What an agent was told before it has, or has asked for.
  const has = state.toldSession === session ? told?.bodies : session.isBlank ? [] : undefined;
  if (has) sendAhead(session, withoutThose(bodies, has));
  sendDesired(state, session, desired, generation);
}

function withoutThose(bodies: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return bodies.filter((hash) => !known.has(hash));
}

function sendDesired(state: NodeState, session: Session, desired: NodeDesired, generation: Generation): void {
  state.toldSession = session;
  session.send({ $case: 'desired', value: { ...desired, generation } });
}

/** Bodies that no node was told of are dropped once they outnumber the others. Asked after every pass: all nodes are
 *  gone over only when there are twice as many bodies as were wanted when that was done last. */
export function createBodySweep(bodies: BodyBook, fleet: Fleet): () => void {
  let atSize = 256;
  return () => {
    if (bodies.size() < atSize) return;
    const wanted = new Set<string>();
    for (const { told } of fleet.all()) for (const hash of told?.bodies ?? []) wanted.add(hash);
    if (bodies.size() > 2 * wanted.size) bodies.keepOnly(wanted);
    atSize = Math.max(256, 2 * wanted.size + 1);
  };
}
