// When a container is made again: what failed, and what ended, by their back-offs (rules 96 to 98).
import { CONTAINER_RESTART, decideRetry, HOLDER_RESTART, IMAGE_PULL } from '../restart-back-off.ts';
import { doubtUntil, isNoCrash } from './lost-holder.ts';
import { type ContainerMemory, type CreateAction, isOfItsEnd, type OnContainer } from './node-action.ts';
import { HOLDER, type SeenContainer } from './pod-record.ts';
import { type ContainerSteps, NOTHING, only, type PlanContext, type PodView } from './pod-steps.ts';

/** A first try at once; after a failure by its back-off, images by one of their own (rule 98), and for want of a
 *  ConfigMap or Secret, or of one that opens a registry, when those have changed. */
export function create(
  at: OnContainer,
  attempt: number,
  memory: ContainerMemory,
  { now, pods }: PlanContext,
): ContainerSteps {
  const { trouble } = memory;
  if (!trouble) return only({ ...at, kind: 'create', attempt });
  const isOther = trouble.config !== undefined && trouble.config !== (pods.get(at.podUid)?.config ?? '');
  if (isOther) return only({ ...at, kind: 'create', attempt });
  if (trouble.kind === 'config') return NOTHING;
  const [limits, field] =
    trouble.kind === 'image' ? ([IMAGE_PULL, 'pull'] as const) : ([CONTAINER_RESTART, 'restart'] as const);
  const waited = memory[field] ?? { waitMs: limits.initialMs, updatedAt: trouble.failedAt };
  const decision = decideRetry(waited, trouble.failedAt, now, limits);
  if (!decision.retry) return { actions: [], waits: [decision.until] };
  return only({
    ...at,
    kind: 'create',
    attempt,
    backOff: { [field]: decision.backOff },
  } satisfies CreateAction);
}

export function restart(
  at: OnContainer,
  container: SeenContainer,
  memory: ContainerMemory,
  { context, spec, seen }: PodView,
): ContainerSteps {
  if (memory.trouble && !isOfItsEnd(memory.trouble, container))
    return create(at, container.attempt + 1, memory, context);
  if (isNoCrash(container, spec, seen))
    return only({
      ...at,
      kind: 'create',
      attempt: container.attempt + 1,
      reason: container.withEngine ? 'it ended with the engine' : "the pod's network is new",
    });
  const doubt = doubtUntil(container, spec, seen, context.now);
  if (doubt !== undefined) return { actions: [], waits: [doubt] };
  const limits = at.container === HOLDER ? HOLDER_RESTART : CONTAINER_RESTART;
  const decision = decideRetry(memory.restart, container.endedAt ?? context.now, context.now, limits);
  if (!decision.retry) return { actions: [], waits: [decision.until] };
  return only({
    ...at,
    kind: 'create',
    attempt: container.attempt + 1,
    backOff: { restart: decision.backOff },
    reason: 'it ended, and restartPolicy is Always',
  });
}
