// What people do to a fleet while it lives: updates and their undoing, pacing, deletions, nodes that come and go.
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import {
  type Act,
  type Acts,
  birth,
  type Fleet,
  nodeNames,
  putThePolicy,
  removeThePolicy,
  someMachine,
  someSetOf,
} from './fleet.ts';
import {
  annotateSet,
  labelNode,
  putConfig,
  removeNode,
  removePod,
  removeSet,
  type SetWish,
  setStrategy,
  setTemplate,
  shownStrategy,
  type TemplateWish,
  taintNode,
} from './operator.ts';
import { type StoredSet, setsIn } from './truth.ts';
import { someBadTemplate, somePolicy, someSet, someTemplate } from './wishes.ts';
import type { World } from './world.ts';

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

export const OPERATIONS: Acts = {
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
export const LATER_OPERATIONS: Acts = {
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
