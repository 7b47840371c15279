// Everything that may happen to a fleet between its birth and the end of a run. Each run has some kinds of it only, so
// that what is rare among all kinds is common in some runs.

import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import {
  annotateSet,
  createSet,
  labelNode,
  putConfig,
  putPolicy,
  removeNode,
  removePod,
  removePolicy,
  removeSet,
  type SetWish,
  setStrategy,
  setTemplate,
  shownStrategy,
  type TemplateWish,
  taintNode,
} from './operator.ts';
import { type StoredSet, setsIn } from './truth.ts';
import { plainPolicy, someBadTemplate, somePolicy, someSet, someTemplate } from './wishes.ts';
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

type Act = (fleet: Fleet) => void;

const someSetOf = ({ dice, sets }: Fleet): SetWish | undefined =>
  sets.size === 0 ? undefined : dice.pick([...sets.values()]);
const someMachine = ({ dice, world, removed }: Fleet): Machine =>
  dice.pick([...world.machines.values()].filter(({ name }) => !removed.has(name)));
const nodeNames = ({ world }: Fleet): string[] => [...world.machines.keys()];

const update =
  (make: (fleet: Fleet, wish: SetWish) => TemplateWish | undefined, what: string): Act =>
  (fleet) => {
    const wish = someSetOf(fleet);
    const template = wish && make(fleet, wish);
    if (!wish || !template) return;
    fleet.templates.get(wish.name)?.push(wish.template);
    fleet.sets.set(wish.name, { ...wish, template });
    fleet.world.use(
      `${what} ${wish.name}: version ${template.version} ${template.image} ${JSON.stringify(template.app)}`,
      (objects) => setTemplate(objects, wish.name, template),
    );
  };

const stored = ({ world }: Fleet, name: string): StoredSet | undefined => {
  const store = world.store();
  return store && setsIn(store).find(({ metadata }) => metadata.name === name);
};
const recordOf = (fleet: Fleet, name: string): Partial<RolloutRecord> =>
  fleet.world.store()?.get('fleetset/rollouts', stored(fleet, name)?.metadata.uid ?? '')?.value ?? {};

const annotate =
  (annotation: string, value: (fleet: Fleet, record: Partial<RolloutRecord>) => string | undefined): Act =>
  (fleet) => {
    const wish = someSetOf(fleet);
    if (!wish) return;
    const text = value(fleet, recordOf(fleet, wish.name));
    fleet.world.use(`annotate ${wish.name} ${annotation}=${text}`, (objects) =>
      annotateSet(objects, wish.name, { [`fleetset.dev/${annotation}`]: text }),
    );
  };

const excusing = (fleet: Fleet, node: string, what: string, run: Parameters<World['use']>[1]) => {
  fleet.world.use(what, (objects, store) => {
    fleet.world.laws.excuse({ node });
    return run(objects, store);
  });
};

export const putThePolicy = ({ world }: Fleet, spec: RolloutPolicySpec) =>
  world.use(`policy ${JSON.stringify(spec)}`, (objects) => putPolicy(objects, 'policy', spec));

/** But for that config is rolled out. */
export function removeThePolicy(fleet: Fleet): void {
  if (fleet.config) putThePolicy(fleet, plainPolicy(true));
  else fleet.world.use('remove the policy', (objects) => removePolicy(objects, 'policy'));
}

const OPERATORS: { readonly [name: string]: Act } = {
  update: update(({ dice }, { template }) => someTemplate(dice, template), 'update'),
  'bad update': update(
    (fleet, { template }) => someBadTemplate(fleet.dice, nodeNames(fleet), template),
    'bad update',
  ),
  undo: update(({ dice, templates }, { name }) => {
    const past = templates.get(name) ?? [];
    return past.length === 0 ? undefined : dice.chance(0.6) ? past.at(-1) : dice.pick(past);
  }, 'undo'),
  'change strategy': (fleet) => {
    const wish = someSetOf(fleet);
    if (!wish) return;
    const { name, template } = wish;
    const next = { ...someSet(fleet.dice, name, fleet.world.machines.size, fleet.config), template };
    fleet.sets.set(wish.name, next);
    fleet.world.use(`strategy of ${name}: ${shownStrategy(next)}`, (objects) => setStrategy(objects, next));
  },
  'put policy': (fleet) => {
    putThePolicy(fleet, somePolicy(fleet.dice, fleet.config));
  },
  'remove policy': (fleet) => removeThePolicy(fleet),
  'change config': ({ world, dice, config }) => {
    const value = `value ${dice.int(1, 5)}`;
    if (config) world.use(`config: ${value}`, (objects) => putConfig(objects, value));
  },
  pause: annotate('paused', () => 'true'),
  resume: annotate('paused', () => undefined),
  approve: annotate(
    'approved-steps',
    ({ dice }, { newest, attempt }) => `${newest}/${dice.int(1, 3)}/${attempt}`,
  ),
  retry: annotate('retry', ({ dice }, { newest }) => `${newest}/${dice.int(1, 1000)}`),
  'delete a pod': (fleet) => {
    const grace = fleet.dice.pick([undefined, undefined, 0, 1]);
    const at = fleet.dice.next();
    fleet.world.use(`delete a pod, grace ${grace}`, (objects, store) => {
      const pods = [...store.list('core/pods')].sort((a, b) => (a.id < b.id ? -1 : 1));
      const pod = pods[Math.floor(at * pods.length)];
      if (!pod) return Promise.resolve();
      const { name, uid } = pod.value.metadata as { name: string; uid: string };
      fleet.world.trace.note('operator', `deletes pod ${name}`);
      fleet.world.laws.excuse({ podUid: uid });
      return removePod(objects, name, grace);
    });
  },
  'delete a set': (fleet) => {
    const wish = someSetOf(fleet);
    if (!wish) return;
    const propagation = fleet.dice.pick(['Background', 'Foreground'] as const);
    fleet.sets.delete(wish.name);
    fleet.world.use(`delete ${wish.name} ${propagation}`, (objects) => {
      fleet.world.laws.excuse({ setUid: stored(fleet, wish.name)?.metadata.uid ?? '' });
      return removeSet(objects, wish.name, propagation);
    });
    const again = { ...wish, template: someTemplate(fleet.dice, wish.template) };
    if (fleet.dice.chance(0.7)) fleet.world.later(fleet.dice.int(0, 20_000), () => birth(fleet, again));
  },
  'label a node': (fleet) => {
    const { name } = someMachine(fleet);
    const role = fleet.dice.pick(['web', 'db', undefined]);
    excusing(fleet, name, `label ${name} role=${role}`, (objects) => labelNode(objects, name, { role }));
  },
  'taint a node': (fleet) => {
    const { name } = someMachine(fleet);
    const effect = fleet.dice.pick(['NoSchedule', 'NoExecute', undefined] as const);
    excusing(fleet, name, `taint ${name} gpu:${effect}`, (objects) =>
      taintNode(objects, name, 'gpu', effect && { key: 'gpu', effect }),
    );
  },
  hold: (fleet) => {
    const { name, holds } = someMachine(fleet);
    const forMs = fleet.dice.pick([5000, 15_000, 40_000]);
    fleet.world.trace.note(name, `somebody holds it for ${forMs / 1000} s`);
    holds.put('somebody', forMs);
  },
  join: ({ world, dice }) => {
    if (world.machines.size < 6 || world.machines.size > 100)
      world.addMachine(`node-${String(world.machines.size).padStart(3, '0')}`, {
        zone: dice.pick(['a', 'b']),
      });
  },
  'remove a node': (fleet) => {
    if (fleet.world.machines.size - fleet.removed.size < 3) return;
    const { name } = someMachine(fleet);
    fleet.removed.add(name);
    excusing(fleet, name, `remove ${name}`, (objects) => removeNode(objects, name));
  },
};

/** What was added later is thrown by dice of its own, so that seeds that found something before still tell the same. */
const LATER: { readonly [name: string]: Act } = {
  /** Another one takes over what it leaves behind, with the same template or with another. */
  'orphan a set': (fleet) => {
    const wish = someSetOf(fleet);
    if (!wish) return;
    fleet.sets.delete(wish.name);
    fleet.world.use(`delete ${wish.name} Orphan`, (objects) => removeSet(objects, wish.name, 'Orphan'));
    const again = () => someTemplate(fleet.dice, wish.template);
    const template = fleet.dice.chance(0.5) ? wish.template : again();
    if (fleet.dice.chance(0.9))
      fleet.world.later(fleet.dice.int(0, 20_000), () =>
        // What comes when all is to be well works.
        birth(fleet, { ...wish, template: fleet.mended ? again() : template }),
      );
  },
};

/** A fault that has been mended before needs no end. */
const whileFor = (fleet: Fleet, ms: number, end: () => void) =>
  fleet.world.later(ms, () => {
    if (!fleet.mended) end();
  });

const FAULTS: { readonly [name: string]: Act } = {
  'kill an agent': (fleet) => {
    const machine = someMachine(fleet);
    const after = fleet.dice.chance(0.5) ? 0 : fleet.dice.int(1, 40);
    fleet.world.trace.note(machine.name, `its agent is killed after ${after} effects`);
    machine.killAgent(after);
    whileFor(fleet, fleet.dice.pick([500, 2000, 10_000, 60_000]), machine.startAgent);
  },
  'restart an agent': (fleet) => {
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, 'its agent is stopped');
    machine.stopAgent(machine.startAgent);
  },
  'reboot a machine': (fleet) => {
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, 'loses its power');
    machine.powerOff();
    const { dice } = fleet;
    whileFor(fleet, dice.pick([1000, 8000, 90_000]), () => {
      fleet.world.trace.note(machine.name, 'boots');
      machine.powerOn();
      if (dice.chance(0.2)) machine.moveClock(dice.int(-3_600_000, 3_600_000));
      if (dice.chance(0.2))
        machine.meddle((engine) => {
          for (const { id } of engine.containers()) engine.vanish(id);
        });
      machine.startAgent();
    });
  },
  'kill the plane': (fleet) => {
    const { world, dice } = fleet;
    const after = dice.chance(0.4) ? 0 : dice.int(1, 15);
    world.trace.note('plane', `is killed after ${after} effects`);
    world.plane.kill(after);
    whileFor(fleet, dice.pick([300, 3000, 15_000, 60_000]), world.plane.start);
  },
  'restart the plane': (fleet) => {
    fleet.world.trace.note('plane', 'is stopped');
    fleet.world.plane.stop(fleet.world.plane.start);
  },
  'cut a link': (fleet) => {
    const { link, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'its link is cut');
    link.setCut(true);
    whileFor(fleet, fleet.dice.pick([300, 5000, 20_000, 45_000, 100_000]), () => {
      fleet.world.trace.note(name, 'its link is whole');
      link.setCut(false);
    });
  },
  'break a stream': (fleet) => {
    const { link, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'its stream breaks');
    link.breakStreams();
  },
  'say things twice': (fleet) => {
    const { link, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'messages to and from it arrive twice');
    link.setDoubling(true);
    whileFor(fleet, fleet.dice.pick([3000, 20_000]), () => link.setDoubling(false));
  },
  'tell something old': (fleet) => {
    const { link, name } = someMachine(fleet);
    const old = fleet.told.get(name) ?? [];
    if (old.length < 3) return;
    fleet.world.trace.note(name, 'is told something old');
    link.sayToAgent(fleet.dice.pick(old.slice(0, -1)));
  },
  'engine away': (fleet) => {
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, 'its engine is away');
    machine.meddle((engine) => engine.setDown(true));
    whileFor(fleet, fleet.dice.pick([1000, 10_000, 60_000]), () =>
      machine.meddle((engine) => engine.setDown(false)),
    );
  },
  'engine errors': (fleet) => {
    const machine = someMachine(fleet);
    const { dice } = fleet;
    const call = dice.pick([
      'list',
      'create',
      'start',
      'stop',
      'remove',
      'pull',
      'exec',
      'hasImage',
    ] as const);
    const how = dice.pick(['before', 'after', 'hang'] as const);
    const times = dice.int(1, 3);
    fleet.world.trace.note(machine.name, `engine: ${call} fails ${how} ${times}`);
    machine.meddle((engine) => engine.fail({ call, how, times }));
  },
  'cut events': (fleet) => someMachine(fleet).meddle((engine) => engine.cutEvents()),
  'crash a container': (fleet) => {
    const machine = someMachine(fleet);
    const { dice } = fleet;
    machine.meddle((engine) => {
      const running = engine.containers().filter(({ state }) => state === 'running');
      if (running.length === 0) return;
      const victim = dice.pick(running);
      fleet.world.trace.note(machine.name, `${victim.identity.pod.name}/${victim.identity.name} crashes`);
      if (dice.chance(0.8)) engine.end(victim.id, 1);
      else engine.vanish(victim.id);
    });
  },
  'move a clock': (fleet) => {
    const ms = fleet.dice.pick([1, -1]) * fleet.dice.pick([1500, 60_000, 3_600_000]);
    if (fleet.dice.chance(0.3)) return fleet.world.plane.moveClock(ms);
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, `its clock jumps ${ms} ms`);
    machine.moveClock(ms);
  },
  'full disk': (fleet) => {
    const { disk, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'its disk is full');
    disk.setFull(true);
    whileFor(fleet, fleet.dice.pick([1000, 20_000]), () => disk.setFull(false));
  },
};

export const KINDS: readonly string[] = [...Object.keys(OPERATORS), ...Object.keys(FAULTS)];
export const LATER_KINDS: readonly string[] = Object.keys(LATER);

export function birth(fleet: Fleet, wish: SetWish): void {
  fleet.sets.set(wish.name, wish);
  fleet.templates.set(wish.name, []);
  fleet.world.use(`create ${wish.name} ${shownStrategy(wish)} ${JSON.stringify(wish.template)}`, (objects) =>
    createSet(objects, wish),
  );
}

/** One thing of the given kinds happens now. */
export function happen(fleet: Fleet, kinds: readonly string[]): void {
  const kind = fleet.dice.pick(kinds);
  (OPERATORS[kind] ?? FAULTS[kind] ?? LATER[kind])?.(fleet);
}

/** All faults end. */
export function mend(fleet: Fleet): void {
  const { world } = fleet;
  fleet.mended = true;
  world.trace.note('world', 'all faults end');
  world.plane.defuse();
  world.plane.start();
  for (const machine of world.machines.values()) {
    machine.link.setCut(false);
    machine.link.setDoubling(false);
    machine.disk.setFull(false);
    machine.powerOn();
    machine.meddle((engine) => {
      engine.heal();
      engine.setDown(false);
    });
    machine.defuse();
    machine.startAgent();
  }
}
