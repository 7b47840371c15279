// The images that a node lacks for a revision, as far as the plane can know, and what to pull them with.
import type { PrePull } from '@fleetset/proto/gen/fleetset/v1/node';
import { imagesAhead } from '@fleetset/scheduler-core/rollout/pre-pull';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import { type DesiredInputs, templateNamed } from './desired-state.ts';
import { pullRefsOf, readConfig } from './told-configs.ts';

type NeededInputs = Pick<DesiredInputs, 'store' | 'fleet' | 'bodies' | 'revisionsOf'>;

/** Undefined: nothing. */
export function neededImages(
  inputs: NeededInputs,
  node: string,
  daemonSetUid: string,
  revision: string,
): Omit<PrePull, 'id'> | undefined {
  const { store, fleet, bodies, revisionsOf } = inputs;
  const template = templateNamed(inputs, daemonSetUid, revision);
  if (!template) return undefined;
  const running = podsOfSet(fleet.state(node), daemonSetUid, adoptedBy(store, daemonSetUid))
    .filter(({ ready }) => ready)
    .flatMap((pod) => templateNamed(inputs, daemonSetUid, pod.revision) ?? []);
  const images = imagesAhead(template, running);
  if (images.length === 0) return undefined;
  const namespace = revisionsOf(daemonSetUid).get(revision)?.metadata.namespace ?? '';
  const pullSecrets = pullRefsOf(template).map(({ kind, name }) => {
    const { hash } = readConfig(inputs, kind, namespace, name);
    return { name, content: bodies.content(hash) ?? Buffer.alloc(0) };
  });
  return { images: images.map((one) => ({ ...one })), pullSecrets };
}
