// Which revision a DaemonSet has now, and which it would have, with the config that its revisions hold.
import { canonicalJson } from '@fleetset/scheduler-core/canonical-json';
import { configRefs } from '@fleetset/scheduler-core/node/config-data';
import { configPin, withoutPin, withPin } from '@fleetset/scheduler-core/node/config-snapshot';
import {
  planHistory,
  revisionData,
  revisionHash,
  revisionTemplate,
} from '@fleetset/scheduler-core/revision-history';
import { decideConfig } from '@fleetset/scheduler-core/rollout/config-rollout';
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';

/** Stands for a snapshot that is not made yet: only the plane can tell its hash, which is salted. */
const TO_COME = 'f'.repeat(64);

export interface PlannedRevision {
  readonly hash: string;
  /** False: it holds a snapshot that is not made yet, and will be called otherwise. */
  readonly isNamed: boolean;
}

/** `holdsConfig`: the policy asks for it. `configChanges`: what it holds changes. */
export function plannedRevision(
  daemonSet: DaemonSet,
  revisions: readonly ControllerRevision[],
  holdsConfig: boolean,
  configChanges: boolean,
): PlannedRevision {
  const template = daemonSet.spec?.template ?? {};
  const { template: holds, adopt } = configChanges
    ? { template: withPin(withoutPin(template), TO_COME), adopt: undefined }
    : decided(template, revisions, holdsConfig);
  const wanted = {
    ...daemonSet,
    ...(daemonSet.spec ? { spec: { ...daemonSet.spec, template: holds } } : {}),
  };
  const known = revisions.map((one) => (one === adopt ? { ...one, data: revisionData(holds) } : one));
  const { hash } = planHistory(wanted, known, new Set(revisions.map(revisionHash)));
  return { hash, isNamed: adopt !== undefined || configPin(holds) !== TO_COME };
}

const SETTLED = { wanted: '', changedAt: Number.NEGATIVE_INFINITY, firstAt: Number.NEGATIVE_INFINITY };

function decided(template: PodTemplateSpec, revisions: readonly ControllerRevision[], enabled: boolean) {
  const newest = [...revisions].sort((a, b) => a.revision - b.revision).at(-1);
  const last = newest && revisionTemplate(newest);
  const kept = last && namedBy(last) === namedBy(template) ? configPin(last) : undefined;
  const live = kept ?? TO_COME;
  const pin = configPin(template);
  return decideConfig({
    template,
    revisions,
    enabled,
    live: namedBy(template) === '[]' ? undefined : live,
    isUsable: () => true,
    pinned: pin === undefined ? undefined : { pin, live },
    settling: SETTLED,
    now: 0,
  });
}

const namedBy = ({ spec }: PodTemplateSpec): string => canonicalJson(spec ? configRefs(spec) : []);
