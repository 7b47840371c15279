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

/** Bodies that no node was told of are dropped once they outnumber the others. */
export function forgetBodies(bodies: BodyBook, fleet: Fleet): void {
  if (bodies.size() < 256) return;
  const wanted = new Set([...fleet.all()].flatMap(({ told }) => told?.bodies ?? []));
  if (bodies.size() > 2 * wanted.size) bodies.keepOnly(wanted);
}
