// The fleet of a run, as its operators want it, and what everything that happens to it is picked from.
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import {
  createSet,
  putPolicy,
  removePolicy,
  type SetWish,
  shownStrategy,
  type TemplateWish,
} from './operator.ts';
import { plainPolicy } from './wishes.ts';
import type { World } from './world.ts';

export interface Fleet {
  readonly world: World;
  readonly dice: Dice;
  /** DaemonSets name a ConfigMap, and its changes are rolled out. */
  readonly config: boolean;
  /** By name; as operators want them now. */
  readonly sets: Map<string, SetWish>;
  /** Templates that each set had before, the newest last. */
  readonly templates: Map<string, TemplateWish[]>;
  /** Machines that operators took out of the fleet. */
  readonly removed: Set<string>;
  /** What was told to whom, to be told again too late. */
  readonly told: Map<string, Buffer[]>;
  /** All is to be well from now on. */
  mended: boolean;
}

/** Does it, or begins it. */
export type Act = (fleet: Fleet) => void;
/** By the kind of thing that happens. */
export interface Acts {
  readonly [kind: string]: Act;
}

export const someSetOf = ({ dice, sets }: Fleet): SetWish | undefined =>
  sets.size === 0 ? undefined : dice.pick([...sets.values()]);
export const someMachine = ({ dice, world, removed }: Fleet): Machine =>
  dice.pick([...world.machines.values()].filter(({ name }) => !removed.has(name)));
export const nodeNames = ({ world }: Fleet): string[] => [...world.machines.keys()];

export function birth(fleet: Fleet, wish: SetWish): void {
  fleet.sets.set(wish.name, wish);
  fleet.templates.set(wish.name, []);
  fleet.world.use(`create ${wish.name} ${shownStrategy(wish)} ${JSON.stringify(wish.template)}`, (objects) =>
    createSet(objects, wish),
  );
}

export const putThePolicy = ({ world }: Fleet, spec: RolloutPolicySpec) =>
  world.use(`policy ${JSON.stringify(spec)}`, (objects) => putPolicy(objects, 'policy', spec));

/** But for that config is rolled out. */
export function removeThePolicy(fleet: Fleet): void {
  if (fleet.config) putThePolicy(fleet, plainPolicy(true));
  else fleet.world.use('remove the policy', (objects) => removePolicy(objects, 'policy'));
}

/** A fault that has been mended before needs no end. */
export const whileFor = (fleet: Fleet, ms: number, end: () => void) =>
  fleet.world.later(ms, () => {
    if (!fleet.mended) end();
  });
