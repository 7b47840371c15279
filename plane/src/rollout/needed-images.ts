// The images that a node lacks for a revision, as far as the plane can know, and what to pull them with.
import type { ConfigObject, PrePull } from '@fleetset/proto/gen/fleetset/v1/node';
import { accountName } from '@fleetset/scheduler-core/node/service-account';
import { imagesAhead } from '@fleetset/scheduler-core/rollout/pre-pull';
import { adoptedBy, podsOfSet } from '../fleet/orphans.ts';
import { type DesiredInputs, templateNamed } from './desired-state.ts';
import { accountFor, accountKey } from './told-accounts.ts';
import { configKey, pullRefsOf, readConfig, secretRef } from './told-configs.ts';

type NeededInputs = Pick<DesiredInputs, 'store' | 'fleet' | 'bodies' | 'revisionsOf'>;

/** Undefined: nothing. */
export function neededImages(
  inputs: NeededInputs,
  node: string,
  daemonSetUid: string,
  revision: string,
): Omit<PrePull, 'id'> | undefined {
  const { store, fleet, bodies } = inputs;
  const template = templateNamed(inputs, daemonSetUid, revision);
  if (!template) return undefined;
  const running = podsOfSet(fleet.state(node), daemonSetUid, adoptedBy(store, daemonSetUid))
    .filter(({ ready }) => ready)
    .flatMap((pod) => templateNamed(inputs, daemonSetUid, pod.revision) ?? []);
  const images = imagesAhead(template, running);
  if (images.length === 0) return undefined;
  const pullSecrets = pullConfigs(inputs, daemonSetUid, revision).map(({ name, hash }) => ({
    name,
    content: bodies.content(hash) ?? Buffer.alloc(0),
  }));
  return { images: images.map((one) => ({ ...one })), pullSecrets };
}

/** What a change of may open a registry. */
export function pullObjects(inputs: NeededInputs, daemonSetUid: string, revision: string): string[] {
  const template = templateNamed(inputs, daemonSetUid, revision);
  if (!template) return [];
  const account = accountKey(namespaceOf(inputs, daemonSetUid, revision), accountName(template.spec));
  return [account, ...pullConfigs(inputs, daemonSetUid, revision).map(configKey)];
}

/** Which logins a revision is pulled with now: equal texts, equal logins. */
export const loginOf = (inputs: NeededInputs, daemonSetUid: string, revision: string): string =>
  pullConfigs(inputs, daemonSetUid, revision)
    .map(({ name, hash }) => `${name}=${hash}`)
    .join(' ');

/** Of the template, or of the account that its pods will be born with. */
function pullConfigs(inputs: NeededInputs, daemonSetUid: string, revision: string): ConfigObject[] {
  const template = templateNamed(inputs, daemonSetUid, revision);
  if (!template) return [];
  const namespace = namespaceOf(inputs, daemonSetUid, revision);
  const given = accountFor(inputs.store, namespace, template).pullSecrets.map(secretRef);
  return [...pullRefsOf(template), ...given].map(({ kind, name }) =>
    readConfig(inputs, kind, namespace, name),
  );
}

const namespaceOf = ({ revisionsOf }: NeededInputs, daemonSetUid: string, revision: string): string =>
  revisionsOf(daemonSetUid).get(revision)?.metadata.namespace ?? '';
