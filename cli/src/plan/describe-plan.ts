// A plan as people read it.
import type { Moment } from '@fleetset/scheduler-core/rollout/foresee-rollout';
import { stepTitle } from '@fleetset/scheduler-core/rollout/pacing';
import { allowsSurge } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { FieldChange } from './changed-fields.ts';
import { type ConfigChange, changedEntries } from './file-changes.ts';
import { type DaemonSetPlan, isRestartFree, type NodePlan } from './plan-daemon-set.ts';

export function describePlan(plan: DaemonSetPlan): string {
  return [
    `DaemonSet ${plan.namespace}/${plan.name}: ${stateOf(plan)}`,
    ...plan.changes.map((change) => `  ${describeChange(change)}`),
    ...plan.config.flatMap(configLines),
    ...describePlaces(plan.nodes),
    ...describeOrder(plan),
  ].join('\n');
}

const stateOf = ({ state, config }: DaemonSetPlan): string =>
  state === 'unchanged' && config.length > 0 ? 'its config changes' : state;

const configLines = (change: ConfigChange): string[] =>
  changedEntries(change).map(
    (entry) =>
      `  ${describeChange({ ...entry, path: `${change.kind} ${change.after.metadata?.name}: ${entry.path}` })}`,
  );

function describeChange({ path, ...change }: FieldChange): string {
  if (!('before' in change)) return `+ ${path}: ${JSON.stringify(change.after)}`;
  if (!('after' in change)) return `- ${path}: ${JSON.stringify(change.before)}`;
  return `~ ${path}: ${JSON.stringify(change.before)} -> ${JSON.stringify(change.after)}`;
}

function describePlaces(nodes: readonly NodePlan[]): string[] {
  const runs = nodes.filter(({ placement }) => placement.decision === 'Run');
  const others = nodes.filter(({ placement }) => placement.decision !== 'Run');
  const names = runs.map(({ node }) => `${node.name}${node.lost ? ' (silent now)' : ''}`);
  return [
    `Would run on ${runs.length} of ${nodes.length} nodes${names.length > 0 ? `: ${names.join(', ')}` : ''}`,
    ...(others.length > 0 ? ['Would not run on:'] : []),
    ...others.map(
      ({ node, placement }) =>
        `  ${node.name}: ${placement.reasons.map(({ message }) => message).join('; ')}${fateOf(node, placement)}`,
    ),
  ];
}

/** Of the pod that runs there now. */
function fateOf({ pod }: NodePlan['node'], { decision }: NodePlan['placement']): string {
  if (!pod) return '';
  return decision === 'Keep'
    ? ' (the pod that runs there stays as it is)'
    : ' (the pod that runs there is stopped)';
}

function describeOrder(plan: DaemonSetPlan): string[] {
  const { foreseen, state, from, to } = plan;
  if (state === 'unchanged' && from === to.hash)
    return ['Nothing changes: nothing is restarted', ...underWay(plan)];
  if (isRestartFree(plan))
    return [`Nothing is restarted: the template stays revision ${to.hash}`, ...underWay(plan)];
  if (!foreseen) return [];
  const { moments, left } = foreseen;
  const updates = moments.filter(({ is }) => is === 'update');
  const head =
    from === undefined
      ? `Start of ${to.isNamed ? `revision ${to.hash}` : 'a new revision'}`
      : `Update from revision ${from} to ${to.isNamed ? to.hash : 'a new one'} (${paceOf(plan)})`;
  return [
    updates.length > 0 ? `${head}:` : `${head}: no node moves`,
    ...moments.map(
      describer(said(plan, 'approve'), allowsSurge(plan.strategy) ? 'being updated' : 'unavailable'),
    ),
    ...(updates.length > 0 ? budgets(plan) : []),
    ...(left.length > 0 ? ['Left as they are:'] : []),
    ...left.map(({ node, reason }) => `  ${node}: ${reason}`),
  ];
}

const said = ({ name, namespace }: DaemonSetPlan, verb: string): string =>
  `fleetset rollout ${verb} ds/${name}${namespace === 'default' ? '' : ` -n ${namespace}`}`;

const underWay = (plan: DaemonSetPlan): string[] =>
  plan.phase === undefined || plan.phase === 'Complete' || plan.phase === 'OnDelete'
    ? []
    : [`Its rollout is ${plan.phase}: ${said(plan, 'status')}`];

const paceOf = ({ strategy, pacing }: DaemonSetPlan): string =>
  strategy.type === 'OnDelete'
    ? 'updateStrategy OnDelete'
    : `${allowsSurge(strategy) ? `maxSurge ${strategy.maxSurge}` : `maxUnavailable ${strategy.maxUnavailable}`}, ${pacing.source}`;

/** Numbers the updates as they come. */
function describer(approve: string, spending: string): (moment: Moment) => string {
  let turn = 0;
  return (moment) => {
    switch (moment.is) {
      case 'step': {
        const limit = moment.budget === undefined ? '' : `, at most ${moment.budget} ${spending}`;
        const size = moment.size === 1 ? '1 node' : `${moment.size} nodes`;
        return `  ${stepTitle(moment.name)}: ${size}${limit}`;
      }
      case 'approval':
        return `    waits for approval: ${approve}`;
      case 'soak':
        return `    waits until they have been available for ${moment.ms / 1000} s`;
      case 'opening':
        return [
          '    waits until these may be changed:',
          ...moment.waits.map(({ node, reason }) => `      ${node}: ${reason}`),
        ].join('\n');
      case 'update': {
        turn += 1;
        const nodes = moment.grants.map(({ node, reason }) =>
          reason.startsWith('within ') ? node : `${node} (${reason})`,
        );
        return `    ${turn}. ${nodes.join(', ')}`;
      }
    }
  };
}

function budgets({ from, strategy, pacing }: DaemonSetPlan): string[] {
  if (from === undefined || strategy.type === 'OnDelete') return [];
  const zones = pacing.groupBudgets.map(
    ({ topologyKey, maxUnavailable }) =>
      `, never more than ${maxUnavailable} of the nodes with one value of ${topologyKey}`,
  );
  const beside = allowsSurge(strategy)
    ? ['Each node runs both pods until the new one is available; then the old one is stopped']
    : [];
  return [...beside, `Each waits until those before it are available${zones.join('')}`];
}
