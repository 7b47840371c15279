// Which template the revision of a DaemonSet has whose config is rolled out: its own, with the snapshot of its
// ConfigMaps and Secrets that its pods are to have. Changes settle for a moment first, so that several of them become
// one revision. Pure; the snapshots themselves are the plane's.
import { canonicalJson, sameJson } from '../canonical-json.ts';
import { configPin, withoutPin, withPin } from '../node/config-snapshot.ts';
import { revisionTemplate } from '../revision-history.ts';
import type { ControllerRevision } from '../schema/daemon-set.ts';
import type { PodTemplateSpec } from '../schema/pod.ts';

/** So long nothing more must change before a change counts, and so long at most it is waited for. */
export const SETTLE_MS = 1000;
export const SETTLE_LIMIT_MS = 10_000;

/** A snapshot that spec.template names (`kubectl rollout undo` puts it there) counts until the config changes again. */
export interface PinRecord {
  readonly pin: string;
  /** The config as it was when the pin came. */
  readonly live: string;
}

/** A change that is waited for to settle. */
export interface Settling {
  readonly wanted: string;
  readonly changedAt: number;
  readonly firstAt: number;
}

export interface ConfigInput {
  /** Of the DaemonSet, as people wrote it. */
  readonly template: PodTemplateSpec;
  readonly revisions: readonly ControllerRevision[];
  /** The policy asks for it. */
  readonly enabled: boolean;
  /** The snapshot of what its ConfigMaps and Secrets are now; undefined when the template names none. */
  readonly live: string | undefined;
  /** It is kept, and has all that the template names. */
  readonly isUsable: (snapshot: string) => boolean;
  readonly pinned: PinRecord | undefined;
  readonly settling: Settling | undefined;
  readonly now: number;
}

export interface ConfigDecision {
  /** What the newest revision is to hold. */
  readonly template: PodTemplateSpec;
  /** An existing revision that is to hold it from now on: it keeps its name, and its pods already have what it says. */
  readonly adopt?: ControllerRevision;
  /** The pin of spec.template has had its time: it is taken out there. */
  readonly spent?: true;
  readonly pinned?: PinRecord;
  readonly settling?: Settling;
  /** What people wrote is not in effect yet; when it is looked at again. */
  readonly settlesAt?: number;
}

export function decideConfig(input: ConfigInput): ConfigDecision {
  if (!input.enabled && !isPinned(input)) return { template: input.template };
  const base = withoutPin(input.template);
  const revisions = [...input.revisions].sort((a, b) => a.revision - b.revision);
  if (!input.enabled || input.live === undefined) return followLive(base, revisions);
  const pin = judgePin(input, input.live);
  const inEffect = pin.spent ? undefined : pin.pinned;
  const template = withPin(base, inEffect?.pin ?? input.live);
  const done = pin.spent ? { template, spent: true as const } : { template, ...pin };
  if (find(revisions, template)) return done;
  // Its pods follow their config as it is: they have what is there now.
  const adopt = inEffect ? undefined : find(revisions, base);
  if (adopt) return { ...done, adopt };
  const newest = revisions.at(-1);
  return newest ? settle(input, revisionTemplate(newest), done, pin.pinned) : done;
}

/** Asked in every pass for every DaemonSet: most never had anything to do with it. */
const isPinned = ({ template, revisions }: ConfigInput): boolean =>
  configPin(template) !== undefined ||
  revisions.some((revision) => configPin(revisionTemplate(revision)) !== undefined);

const find = (revisions: readonly ControllerRevision[], template: PodTemplateSpec) =>
  revisions.findLast((revision) => sameJson(revisionTemplate(revision), template));

/** A revision that differs in its snapshot alone will do: its pods follow what is there from now on. */
function followLive(base: PodTemplateSpec, revisions: readonly ControllerRevision[]): ConfigDecision {
  if (find(revisions, base)) return { template: base };
  const adopt = revisions.findLast((revision) => sameJson(withoutPin(revisionTemplate(revision)), base));
  return { template: base, ...(adopt ? { adopt } : {}) };
}

function judgePin(
  { template, isUsable, pinned }: ConfigInput,
  live: string,
): { readonly pinned?: PinRecord; readonly spent?: true } {
  const pin = configPin(template);
  if (pin === undefined || !isUsable(pin)) return {};
  if (pinned?.pin !== pin) return { pinned: { pin, live } };
  return { pinned, ...(pinned.live === live ? {} : { spent: true }) };
}

/** `done`: when it has settled. Until then nothing changes, and a pin that is spent stays known. */
function settle(
  { settling, now }: ConfigInput,
  current: PodTemplateSpec,
  done: ConfigDecision,
  pinned: PinRecord | undefined,
): ConfigDecision {
  const wanted = canonicalJson(done.template);
  const firstAt = settling?.firstAt ?? now;
  const changedAt = settling?.wanted === wanted ? settling.changedAt : now;
  const settlesAt = Math.min(changedAt + SETTLE_MS, firstAt + SETTLE_LIMIT_MS);
  if (now >= settlesAt) return done;
  return {
    template: current,
    ...(pinned ? { pinned } : {}),
    settling: { wanted, changedAt, firstAt },
    settlesAt,
  };
}
