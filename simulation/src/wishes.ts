// What people want of the fleet in one run, as the dice fall: DaemonSets, revisions good and bad, policies.
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { App } from './apps.ts';
import type { Dice } from './dice.ts';
import type { SetWish, TemplateWish } from './operator.ts';

type Behaviour = Omit<App, 'of'>;

export const someGoodApp = (dice: Dice): Behaviour => ({
  ...(dice.chance(0.3) ? { liveness: true } : {}),
  readyMs: dice.pick([0, 500, 3000, 8000, 20_000]),
  ...(dice.chance(0.15) ? { stubborn: true } : {}),
});

const someBadApp = (dice: Dice, nodes: readonly string[]): Behaviour =>
  dice.pick([
    () => ({}),
    () => ({ lastsMs: dice.int(0, 300) }),
    () => ({ readyMs: 500, sickMs: dice.int(1000, 20_000), liveness: true }),
    () => ({ readyMs: 500, lastsMs: dice.int(1000, 20_000) }),
    () => ({ missing: true }),
    () => ({ readyMs: dice.int(0, 3000), failsOn: dice.pick(nodes) }),
  ])();

/** It works on every node, for ever. */
export const isGood = ({ readyMs, lastsMs, sickMs, missing, failsOn }: Behaviour): boolean =>
  readyMs !== undefined && lastsMs === undefined && sickMs === undefined && !missing && failsOn === undefined;

export function someTemplate(dice: Dice, before?: TemplateWish): TemplateWish {
  return {
    app: someGoodApp(dice),
    containers: dice.chance(0.25) ? 2 : 1,
    image: dice.pick(['app:1', 'app:2', 'app:3']),
    version: dice.int(1, 1_000_000),

    hostNetwork: before?.hostNetwork ?? dice.chance(0.7),
    graceSeconds: dice.pick([2, 5, 30]),
    probePeriodSeconds: dice.pick([5, 10, 30]),
    ...(before?.config ? { config: true } : {}),
    ...(before?.nodeSelector ? { nodeSelector: before.nodeSelector } : {}),
    ...(before?.tolerations ? { tolerations: before.tolerations } : {}),
  };
}

export function someBadTemplate(dice: Dice, nodes: readonly string[], before: TemplateWish): TemplateWish {
  const good = someTemplate(dice, before);
  return dice.chance(0.2) ? { ...good, image: 'app:none' } : { ...good, app: someBadApp(dice, nodes) };
}

/** A large fleet is updated many nodes at a time. */
const LARGE = 50;

const someBudget = (dice: Dice, nodes: number) =>
  dice.pick(nodes < LARGE ? [1, 1, 1, 2, '25%', '50%'] : ['10%', '25%', 30]);

export const someSet = (dice: Dice, name: string, nodes: number, config: boolean): SetWish => ({
  name,
  template: {
    ...someTemplate(dice),
    ...(config ? { config } : {}),
    ...(dice.chance(0.25) ? { nodeSelector: { role: 'web' } } : {}),
    ...(dice.chance(0.25) ? { tolerations: [{ key: 'gpu', operator: 'Exists' }] } : {}),
  },
  strategy: dice.chance(0.1) ? 'OnDelete' : 'RollingUpdate',
  maxUnavailable: someBudget(dice, nodes),
  ...(dice.chance(0.25) ? { maxSurge: someBudget(dice, nodes) } : {}),
  minReadySeconds: dice.pick([0, 0, 0, 3, 15]),
});

/** Where config is rolled out, that is not switched off again. */
export const plainPolicy = (config: boolean): RolloutPolicySpec => ({
  selector: {},
  ...(config ? { configRollout: true } : {}),
});

export const somePolicy = (dice: Dice, config: boolean): RolloutPolicySpec => ({
  ...plainPolicy(config),
  progressDeadlineSeconds: dice.pick([15, 30, 90]),
  failureThreshold: dice.pick([1, 2, '25%', '50%']),
  soakSeconds: dice.pick([0, 0, 5, 20]),
  onFailure: dice.pick(['Rollback', 'Rollback', 'Rollback', 'Pause', 'Continue']),
  ...(dice.chance(0.15) ? { paused: true } : {}),
  ...(dice.chance(0.15) ? { partition: dice.pick([1, 2, '50%']) } : {}),
  ...(dice.chance(0.2) ? { maintenanceWindows: someWindows(dice) } : {}),
  ...(dice.chance(0.2) ? { topologyBudgets: [{ topologyKey: 'zone' }] } : {}),
  ...(dice.chance(0.5) ? { steps: someSteps(dice) } : {}),
});

/** Of one machine, whatever policies say; none: it may be changed at any time. */
export const someOwnWindows = (dice: Dice): RolloutPolicySpec['maintenanceWindows'] =>
  dice.pick([
    ...Array.from({ length: 10 }, () => () => undefined),
    () => [],
    () => someWindows(dice).map(({ schedule, duration }) => ({ schedule, duration })),
  ])();

const someWindows = (dice: Dice): NonNullable<RolloutPolicySpec['maintenanceWindows']> => [
  {
    schedule: `${dice.int(0, 1)}-59/${dice.pick([2, 3])} * * * *`,
    duration: '1m',
    ...(dice.chance(0.3) ? { nodeSelector: { zone: 'a' } } : {}),
  },
];

const someSteps = (dice: Dice): NonNullable<RolloutPolicySpec['steps']> =>
  dice.pick([
    () => [{ nodes: 1, soakSeconds: dice.pick([0, 10]) }],
    () => [{ nodes: 1 }, { nodes: '50%', approval: 'Manual' as const }],
    () => [{ nodeSelector: { zone: 'a' }, maxUnavailable: dice.pick([1, 2, '50%']) }],
  ])();
