// Tells a node what it is to do, when that is new.
import type { Generation, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Fleet, NodeState, RulesTold, Session } from '../fleet/fleet.ts';
import type { BodyBook } from './body-book.ts';
import { bodiesOf, desiredContent } from './desired-state.ts';

/** The generation grows only when the content is new, so that an unchanged node is told nothing. `rules`: of what is
 *  told, the same for all nodes. */
export function tellNode(
  fleet: Fleet,
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
  fleet.change(state.name, { told: { generation, content, bodies: bodiesOf(desired), rules } });
  sendDesired(state, session, desired, generation);
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
