// The order in which a rollout would take its nodes, if all went well: the real planner, driven over an imagined
// fleet in which every node that is granted the revision soon has it available, every approval is given and every
// soak time passes.
import { advanceRollout } from './advance-rollout.ts';
import { type Approval, approvedWaves } from './approval.ts';
import type { Pacing } from './pacing.ts';
import { type Grant, planRollout, type RolloutPlan, type Wait } from './plan-rollout.ts';
import { effectiveRevision, type RolloutNode } from './rollout-node.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { type UpdateStrategy, withBudget } from './update-strategy.ts';
import { needsApproval } from './wave-turn.ts';
import { assignWaves, sizeOfWave } from './waves.ts';

export interface ForeseenInput {
  /** What the rollout before has come to. */
  readonly before?: RolloutRecord;
  /** The revision of the template that is to come. */
  readonly newest: string;
  readonly strategy: UpdateStrategy;
  readonly pacing: Pacing;
  /** Nodes that may not be touched now, with why; holds of their own apart. */
  readonly closed: ReadonlyMap<string, string>;
  readonly nodes: readonly RolloutNode[];
}

export type Moment =
  /** A step begins; `size`: how many nodes are in it, `budget`: its own. Without steps there is none. */
  | { readonly is: 'step'; readonly name: string; readonly size: number; readonly budget?: number }
  /** Somebody has to approve the step that is under way before it moves a node. */
  | { readonly is: 'approval' }
  /** These move together, as soon as those before them are available. */
  | { readonly is: 'update'; readonly grants: readonly Grant[] }
  /** All that moved so far stay available for so long. */
  | { readonly is: 'soak'; readonly ms: number }
  /** These may be touched again: their windows open, their holds end. */
  | { readonly is: 'opening'; readonly waits: readonly Wait[] };

export interface Foreseen {
  readonly moments: readonly Moment[];
  /** Nodes that do not come to the revision by themselves, with why. */
  readonly left: readonly Wait[];
}

interface Imagined {
  readonly record: RolloutRecord | undefined;
  readonly times: RolloutTimes | undefined;
  readonly nodes: readonly RolloutNode[];
  readonly approval?: Approval;
  readonly closed: ReadonlyMap<string, string>;
  readonly now: number;
}

export function foreseeRollout(input: ForeseenInput): Foreseen {
  const moments: Moment[] = [];
  const those = input.nodes.filter(({ decision }) => decision === 'Run');
  let fleet: Imagined = {
    record: input.before,
    times: undefined,
    nodes: settled(those, [], input.newest),
    closed: input.closed,
    now: 0,
  };
  for (let wave = -1; ; ) {
    const { advance, plan } = look(input, fleet);
    if (input.strategy.type === 'RollingUpdate') {
      moments.push(...stepsBegun(input, wave, advance.record, fleet.nodes, plan));
      wave = Math.max(wave, advance.record.wave);
    }
    const grants = plan.grants.filter(({ revision }) => revision === advance.target);
    if (grants.length > 0) moments.push({ is: 'update', grants });
    const after: Imagined = { ...fleet, record: advance.record, times: advance.times };
    if (plan.grants.length > 0) fleet = { ...after, nodes: settled(fleet.nodes, plan.grants, input.newest) };
    else {
      const next = onwards(input, after, advance.soakedAt, plan.waits);
      if (!next) return { moments, left: plan.waits };
      moments.push(next.moment);
      fleet = next.fleet;
    }
  }
}

function look({ newest, pacing, strategy }: ForeseenInput, fleet: Imagined) {
  const { nodes, approval, closed, now } = fleet;
  const advance = advanceRollout(fleet.record, fleet.times, {
    newest,
    pacing,
    nodes,
    closed,
    ...(approval ? { approval } : {}),
    now,
  });
  const paced = strategy.type === 'RollingUpdate';
  const plan = planRollout({
    strategy: withBudget(strategy, paced ? advance.maxUnavailable : undefined),
    nodes,
    aside: advance.aside,
    broken: new Set(advance.record.broken),
    groupBudgets: pacing.groupBudgets,
    target: paced ? advance.target : newest,
    ...(paced ? { holds: advance.holds } : {}),
    ...(paced && advance.fallback !== undefined ? { fallback: advance.fallback } : {}),
  });
  return { advance, plan };
}

/** What the fleet waits for when nobody moves: an approval, time, or that nodes may be touched again. */
function onwards(
  { pacing, strategy }: ForeseenInput,
  fleet: Imagined,
  soakedAt: number | undefined,
  waits: readonly Wait[],
): { readonly moment: Moment; readonly fleet: Imagined } | undefined {
  const { record, now } = fleet;
  if (strategy.type === 'OnDelete' || pacing.paused || record?.phase !== 'Progressing') return undefined;
  if (needsApproval(pacing.waves, record.wave, approvedWaves(fleet.approval, record))) {
    const approval = { revision: record.newest, waves: record.wave + 1, attempt: record.attempt };
    return { moment: { is: 'approval' }, fleet: { ...fleet, approval } };
  }
  if (soakedAt !== undefined && soakedAt > now)
    return { moment: { is: 'soak', ms: soakedAt - now }, fleet: { ...fleet, now: soakedAt } };
  const shut = waits.filter(
    ({ node, reason }) =>
      fleet.closed.get(node) === reason ||
      fleet.nodes.some(({ name, held }) => name === node && held === reason),
  );
  if (shut.length === 0) return undefined;
  const nodes = fleet.nodes.map(({ held: _over, ...node }) => node);
  return { moment: { is: 'opening', waits: shut }, fleet: { ...fleet, nodes, closed: new Map() } };
}

/** Steps after `before` up to `now`: those that have no node pass at once. */
function stepsBegun(
  { pacing: { waves }, newest }: ForeseenInput,
  before: number,
  { wave: now, broken }: RolloutRecord,
  nodes: readonly RolloutNode[],
  { surge, maxUnavailable }: RolloutPlan,
): Moment[] {
  if (waves.length === 0 || now <= before) return [];
  const heard = nodes.filter(({ lost }) => !lost);
  const assigned = assignWaves(waves, { nodes: heard }, newest, broken);
  const begun: Moment[] = [];
  for (let wave = before + 1; wave <= now; wave++)
    begun.push({
      is: 'step',
      name: waves[wave]?.name ?? 'the rest',
      size: sizeOfWave(assigned, wave),
      ...(waves[wave]?.maxUnavailable !== undefined && wave === now
        ? { budget: surge?.maxSurge ?? maxUnavailable }
        : {}),
    });
  return begun;
}

/** Whoever is granted something, or is on its way to the newest revision already, has it available. */
function settled(
  nodes: readonly RolloutNode[],
  grants: readonly Grant[],
  newest: string,
): readonly RolloutNode[] {
  const revisions = new Map(grants.map(({ node, revision }) => [node, revision]));
  return nodes.map((node) => {
    const revision =
      revisions.get(node.name) ?? (effectiveRevision(node) === newest && node.pod ? newest : undefined);
    if (revision === undefined || node.lost || !node.connected) return node;
    const { name, labels = {}, decision } = node;
    const pod = { revision, available: true, deleted: false };
    return { name, labels, decision, connected: true, lost: false, granted: revision, pod };
  });
}
