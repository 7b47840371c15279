// Tells what a rollout does as a story that a person can read: nodes that behave as their revision does, a clock that
// is moved by hand, and a line for each moment at which something changed.
import { advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import type { Approval } from '@fleetset/scheduler-core/rollout/approval';
import { type Pacing, pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import { planRollout, type RolloutPlan } from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { RolloutRecord, RolloutTimes } from '@fleetset/scheduler-core/rollout/rollout-record';
import {
  allowsSurge,
  budgetOf,
  type UpdateStrategy,
  withBudget,
} from '@fleetset/scheduler-core/rollout/update-strategy';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';

/** What becomes of a pod of a revision: it is available after so many seconds, or it crashes, or stays unready. */
export type Behaviour = 'good' | 'crashes' | 'never ready' | 'flaps' | 'fades' | 'kills the node';

export interface StoryOptions {
  readonly nodes: readonly string[];
  readonly labels?: { readonly [node: string]: { readonly [label: string]: string } };
  readonly policy?: RolloutPolicySpec;
  readonly maxUnavailable?: number | string;
  /** Instead: the new pod runs beside the old one. */
  readonly maxSurge?: number | string;
  /** Of revisions that are not good. */
  readonly revisions?: { readonly [revision: string]: Behaviour };
  /** Instead of the real ones: seeded bugs. */
  readonly advance?: typeof advanceRollout;
  readonly plan?: typeof planRollout;
}

interface StoryPod {
  readonly revision: string;
  readonly bornAt: number;
}
interface StoryNode {
  readonly name: string;
  granted: string | undefined;
  pod: StoryPod | undefined;
  /** Under a surge the new pod, while the old one runs. */
  beside: StoryPod | undefined;
  silent: boolean;
  /** From when on its silence counts as lost. */
  lostAt: number;
  /** By nodes or by revisions: this node's pods are bad whatever their revision. */
  bad: boolean | 'unready';
  /** Its agent replaces nothing, and says so as soon as it is heard. */
  held: { readonly why: string; heard: boolean } | undefined;
}

const CRASHES = 'container main: CrashLoopBackOff';
const READY_AFTER_S = 5;
/** How old it gets until it is unready for good. */
const LIFE_S: { readonly [behaviour in Behaviour]?: number } = {
  good: Number.POSITIVE_INFINITY,
  flaps: 20,
  fades: READY_AFTER_S + 2,
};
const GRACE_S = 8;

export function tellStory(options: StoryOptions) {
  const revisions = options.revisions ?? {};
  const nodes: StoryNode[] = options.nodes.map((name) => ({
    name,
    granted: 'one',
    pod: { revision: 'one', bornAt: -1000 },
    beside: undefined,
    silent: false,
    lostAt: 0,
    bad: false,
    held: undefined,
  }));
  let pacing: Pacing = pacingOf('the policy', options.policy);
  let newest = 'one';
  let now = 0;
  let record: RolloutRecord | undefined;
  let times: RolloutTimes | undefined;
  let approval: Approval | undefined;
  let retry = 0;
  let closed = new Map<string, string>();
  /** Grants that take a pod from a node whose window is closed or that is held, and nothing is wrong with it. */
  const trespasses: string[] = [];
  /** By how many nodes a grant ever went over the budget, or over what was down already. */
  let worst = 0;
  const lines: string[] = [];
  let last = '';

  const behaviourOf = (revision: string): Behaviour => revisions[revision] ?? 'good';
  const isLost = ({ silent, lostAt }: StoryNode): boolean => silent && now >= lostAt;
  const serves = ({ silent, bad }: StoryNode, pod: StoryPod | undefined): boolean => {
    if (!pod || silent || bad) return false;
    const age = now - pod.bornAt;
    return age >= READY_AFTER_S && age < (LIFE_S[behaviourOf(pod.revision)] ?? 0);
  };
  const isAvailable = (node: StoryNode): boolean => serves(node, node.pod);
  const crashes = ({ bad }: StoryNode, { revision, bornAt }: StoryPod): boolean =>
    (bad === true || behaviourOf(revision) === 'crashes') && now > bornAt + 10;
  const strategy: UpdateStrategy = {
    type: 'RollingUpdate',
    ...(options.maxSurge === undefined
      ? { maxUnavailable: options.maxUnavailable ?? 1 }
      : { maxUnavailable: 0, maxSurge: options.maxSurge }),
  };
  const surge = allowsSurge(strategy);
  const isDown = (node: StoryNode): boolean => !node.silent && !isAvailable(node);
  const seen = (node: StoryNode): RolloutNode => ({
    name: node.name,
    labels: options.labels?.[node.name] ?? {},
    decision: 'Run',
    connected: !node.silent,
    lost: isLost(node),
    ...(node.granted === undefined ? {} : { granted: node.granted }),
    ...(node.pod
      ? { pod: { revision: node.pod.revision, available: isAvailable(node), deleted: false } }
      : {}),
    ...(node.pod && crashes(node, node.pod) ? { failing: CRASHES } : {}),
    ...(node.held?.heard ? { held: node.held.why } : {}),
    ...(node.beside
      ? {
          beside: {
            revision: node.beside.revision,
            ...(crashes(node, node.beside) ? { failing: CRASHES } : {}),
          },
        }
      : {}),
  });

  /** What a node does with a revision that it is granted. */
  const carryOut = (node: StoryNode, revision: string) => {
    const { pod, beside, held } = node;
    if (pod && held && pod.revision !== revision) return;
    if (surge && pod) {
      if (pod.revision === revision) node.beside = undefined;
      else if (beside?.revision !== revision) node.beside = { revision, bornAt: now };
    } else if (pod?.revision !== revision) node.pod = { revision, bornAt: now };
  };
  /** The old pod goes when the new one serves, or when it does not serve itself (rules 41 and 42). */
  const changeOver = (node: StoryNode) => {
    if (node.silent || !node.beside || (isAvailable(node) && !serves(node, node.beside))) return;
    if (node.held && (isAvailable(node) || !serves(node, node.beside))) return;
    node.pod = node.beside;
    node.beside = undefined;
  };
  /** Under a surge whoever runs both, or has gone down; but for machines that are broken, whatever they run. */
  const spends = (node: StoryNode): boolean => {
    if (!surge) return isDown(node);
    const downWithUpdate = isDown(node) && !node.bad && node.pod?.revision !== record?.stable;
    return downWithUpdate || (!node.silent && node.beside !== undefined && isAvailable(node));
  };

  const noteTrespass = (node: StoryNode, revision: string) => {
    if (!node.pod || node.pod.revision === revision) return;
    const failing = crashes(node, node.pod);
    const isStuck = !isAvailable(node) && (failing || node.granted !== record?.stable);
    if (node.held?.heard) trespasses.push(`${now}s: ${node.name} is held`);
    if (closed.has(node.name) && !isStuck) trespasses.push(`${now}s: ${node.name} is closed`);
  };

  const fallSilent = (node: StoryNode) => {
    node.silent = true;
    node.lostAt = now;
  };

  const pass = (): RolloutPlan => {
    const view = nodes.map(seen);
    const advance = (options.advance ?? advanceRollout)(record, times, {
      newest,
      pacing,
      nodes: view,
      closed,
      ...(approval ? { approval } : {}),
      retry: String(retry),
      now: now * 1000,
    });
    record = advance.record;
    times = advance.times;
    const spentBefore = nodes.filter(spends).length;
    const plan = (options.plan ?? planRollout)({
      strategy: withBudget(strategy, advance.maxUnavailable),
      target: advance.target,
      nodes: view,
      holds: advance.holds,
      aside: advance.aside,
      broken: new Set(record.broken),
      groupBudgets: pacing.groupBudgets,
      ...(advance.fallback === undefined ? {} : { fallback: advance.fallback }),
    });
    for (const { node: name, revision } of plan.grants) {
      const node = nodes.find((one) => one.name === name);
      if (!node) continue;
      noteTrespass(node, revision);
      node.granted = revision;
      carryOut(node, revision);
      if (behaviourOf(revision) === 'kills the node') fallSilent(node);
    }
    for (const { held } of nodes) if (held) held.heard = true;
    const budget = budgetOf(strategy, nodes.length);
    worst = Math.max(worst, nodes.filter(spends).length - Math.max(budget, spentBefore));
    return plan;
  };

  /** Until nothing changes at this moment; then a line, when it is another than the last. */
  const settle = () => {
    let plan = pass();
    for (let again = 0; again < 50 && plan.grants.length > 0; again++) plan = pass();
    if (plan.grants.length > 0) throw new Error('it does not come to rest');
    const states = nodes.map((node) => {
      const sign = node.silent ? '?' : !node.pod ? '-' : isAvailable(node) ? '+' : '!';
      const other = node.beside
        ? `&${node.beside.revision}${node.silent ? '?' : serves(node, node.beside) ? '+' : '!'}`
        : '';
      return `${node.name}:${node.pod?.revision ?? 'none'}${sign}${other}`;
    });
    const why = [...new Set(plan.waits.map(({ node, reason }) => `${node}: ${reason}`))];
    const line = [
      `${record?.phase}${record?.message ? ` (${record.message})` : ''}${record?.late ? `, late: ${record.late}` : ''}`,
      states.join(' '),
      ...why,
    ].join('\n      ');
    if (line !== last) lines.push(`${String(now).padStart(4)}s ${line}`);
    last = line;
  };

  settle();
  return {
    say: (text: string) => lines.push(`-- ${text}`),
    /** The clock goes on second by second. */
    wait: (seconds: number) => {
      for (let left = seconds; left > 0; left--) {
        now += 1;
        for (const node of nodes) changeOver(node);
        settle();
      }
    },
    update: (revision: string) => {
      lines.push(`-- update to ${revision}`);
      newest = revision;
      settle();
    },
    setPolicy: (spec: RolloutPolicySpec) => {
      lines.push(`-- the policy is ${JSON.stringify(spec)}`);
      pacing = pacingOf('the policy', spec);
      settle();
    },
    approve: (waves: number) => {
      lines.push(`-- wave ${waves} is approved`);
      approval = { revision: newest, waves, attempt: record?.attempt ?? 0 };
      settle();
    },
    /** A new plane knows the record, and gives who is silent some time again. */
    restart: () => {
      lines.push('-- the plane restarts');
      times = undefined;
      for (const node of nodes) node.lostAt = now + GRACE_S;
      settle();
    },
    retry: () => {
      lines.push('-- try again');
      retry += 1;
      settle();
    },
    silence: (name: string, lost = true) => {
      lines.push(`-- ${name} ${lost ? 'falls silent' : 'is back'}`);
      for (const node of nodes) {
        if (node.name !== name) continue;
        if (lost) fallSilent(node);
        else node.silent = false;
      }
      settle();
    },
    break: (name: string, bad: StoryNode['bad'] = true) => {
      lines.push(`-- ${name} ${bad === 'unready' ? 'gets unready' : bad ? 'breaks' : 'is mended'}`);
      for (const node of nodes) if (node.name === name) node.bad = bad;
      settle();
    },
    join: (name: string) => {
      lines.push(`-- ${name} joins`);
      nodes.push({
        name,
        granted: undefined,
        pod: undefined,
        beside: undefined,
        silent: false,
        lostAt: 0,
        bad: false,
        held: undefined,
      });
      settle();
    },
    remove: (name: string) => {
      lines.push(`-- ${name} is removed`);
      nodes.splice(
        nodes.findIndex((node) => node.name === name),
        1,
      );
      settle();
    },
    close: (name: string, why: string | undefined) => {
      lines.push(`-- ${name} ${why === undefined ? 'opens' : `closes: ${why}`}`);
      closed = new Map(closed);
      if (why === undefined) closed.delete(name);
      else closed.set(name, why);
      settle();
    },
    /** Unheard: the plane learns of it after it has granted something. */
    hold: (name: string, why: string | undefined, unheard = false) => {
      lines.push(`-- ${name} ${why === undefined ? 'is released' : `is ${why}`}`);
      for (const node of nodes) {
        if (node.name !== name) continue;
        node.held = why === undefined ? undefined : { why, heard: !unheard };
        if (node.granted !== undefined) carryOut(node, node.granted);
      }
      if (!unheard) settle();
    },
    trespasses: () => trespasses,
    text: () => `${lines.join('\n')}\n`,
    overBudget: () => worst,
    record: () => record,
    revisionsOf: () => nodes.map(({ pod }) => pod?.revision),
    /** Where the pod that counts is available. */
    availableOf: () =>
      new Map(nodes.flatMap((node) => (isAvailable(node) ? [[node.name, node.pod?.revision]] : []))),
    /** Where two run. */
    besideOf: () => nodes.map(({ beside }) => beside?.revision),
    downNow: () => nodes.filter(isDown).length,
  };
}
