// Proves which config the newest revision holds: laws over whatever people do, and the time that changes settle.
import { canonicalJson } from '@fleetset/scheduler-core/canonical-json';
import { configPin, withoutPin, withPin } from '@fleetset/scheduler-core/node/config-snapshot';
import {
  planHistory,
  revisionData,
  revisionHash,
  revisionTemplate,
} from '@fleetset/scheduler-core/revision-history';
import {
  decideConfig,
  type PinRecord,
  SETTLE_LIMIT_MS,
  SETTLE_MS,
  type Settling,
} from '@fleetset/scheduler-core/rollout/config-rollout';
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { holds, isCaught } from '../property.ts';

const snapshot = (config: number): string => String(config).padStart(64, '0');
const templateOf = (image: number): PodTemplateSpec => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: `web:${image}` }] },
});

/** A DaemonSet, its history and its config, as a plane keeps them. */
class World {
  template = templateOf(1);
  config = 1;
  enabled = false;
  now = 0;
  revisions: ControllerRevision[] = [];
  #pinned: PinRecord | undefined;
  #settling: Settling | undefined;
  readonly #decide: typeof decideConfig;
  readonly #kept = new Set<string>();

  constructor(decide = decideConfig) {
    this.#decide = decide;
  }

  /** One pass of the plane; answers the newest revision's name. */
  pass(): string {
    const decision = this.#decide({
      template: this.template,
      revisions: this.revisions,
      enabled: this.enabled,
      live: this.enabled ? snapshot(this.config) : undefined,
      isUsable: (hash) => this.#kept.has(hash),
      pinned: this.#pinned,
      settling: this.#settling,
      now: this.now,
    });
    this.#pinned = decision.pinned;
    this.#settling = decision.settling;
    if (decision.spent) this.template = withoutPin(this.template);
    const pin = configPin(decision.template);
    if (pin) this.#kept.add(pin);
    const known = this.revisions.map((one) =>
      one === decision.adopt ? { ...one, data: revisionData(decision.template) } : one,
    );
    const set: DaemonSet = {
      metadata: { name: 'web' },
      spec: { selector: {}, revisionHistoryLimit: 100, template: decision.template },
    };
    const { current } = planHistory(set, known, new Set());
    const others = known.filter((one) => one.metadata?.name !== current.metadata?.name);
    this.revisions = [...others, current];
    return revisionHash(current);
  }

  /** Until nothing is waited for. */
  settle(): string {
    for (let round = 0; round < 5; round++) {
      this.pass();
      this.now += SETTLE_MS;
    }
    return this.pass();
  }

  current(): PodTemplateSpec {
    const newest = [...this.revisions].sort((a, b) => a.revision - b.revision).at(-1);
    return newest ? revisionTemplate(newest) : {};
  }

  /** As kubectl does it. */
  undo(to: number): string | undefined {
    const target = this.revisions[to % Math.max(1, this.revisions.length)];
    if (!target) return undefined;
    this.template = revisionTemplate(target);
    return revisionHash(target);
  }
}

type Deed = readonly ['config' | 'image' | 'undo' | 'switch' | 'wait', number];
const deed: fc.Arbitrary<Deed> = fc.tuple(
  fc.constantFrom('config', 'image', 'undo', 'switch', 'wait' as const),
  fc.integer({ min: 1, max: 3 }),
) as fc.Arbitrary<Deed>;

function doIt(world: World, [what, number]: Deed): void {
  if (what === 'config') world.config = number;
  else if (what === 'image') world.template = { ...templateOf(number) };
  else if (what === 'switch') world.enabled = !world.enabled;
  else if (what === 'undo') world.undo(number);
  else world.now += number * 300;
  world.pass();
}

const afterwards = (decide: typeof decideConfig, deeds: readonly Deed[]): World => {
  const world = new World(decide);
  world.pass();
  for (const one of deeds) doIt(world, one);
  world.settle();
  return world;
};

/** Each law with a decision that breaks it. */
const LAWS: readonly (readonly [
  string,
  (decide: typeof decideConfig) => fc.IProperty<[Deed[], number]>,
  typeof decideConfig,
])[] = [
  [
    'what people wrote is in effect when it has settled, with the config that is there or that they went back to',
    (decide) =>
      fc.property(fc.array(deed, { maxLength: 12 }), fc.nat(), (deeds, _number) => {
        const world = afterwards(decide, deeds);
        expect(withoutPin(world.current())).toEqual(withoutPin(world.template));
        const pin = configPin(world.current());
        expect(pin).toBe(world.enabled ? (configPin(world.template) ?? snapshot(world.config)) : undefined);
      }),
    (input) => ({
      template: input.enabled
        ? withPin(withoutPin(input.template), input.live ?? '')
        : withoutPin(input.template),
    }),
  ],
  [
    'switching it on or off, and looking again, makes no other revision the newest',
    (decide) =>
      fc.property(fc.array(deed, { maxLength: 12 }), fc.nat(3), (deeds, times) => {
        const world = afterwards(decide, deeds);
        // What an undo brought back is given up when it is switched off.
        fc.pre(configPin(world.template) === undefined);
        const before = world.settle();
        for (let time = 0; time <= times; time++) {
          world.enabled = !world.enabled;
          expect(world.settle()).toBe(before);
        }
      }),
    (input) => ({
      ...decideConfig(input),
      ...(input.enabled ? {} : { template: withoutPin(input.template) }),
      ...{ adopt: undefined as never },
    }),
  ],
  [
    'the same template with the same config is the same revision',
    (decide) =>
      fc.property(fc.array(deed, { maxLength: 12 }), fc.nat(), (deeds, _number) => {
        const { revisions } = afterwards(decide, deeds);
        const texts = revisions.map((revision) => canonicalJson(revisionTemplate(revision)));
        expect(new Set(texts).size).toBe(texts.length);
      }),
    (input) => {
      const { adopt: _never, ...made } = decideConfig(input);
      const [first] = input.revisions;
      return first && input.revisions.length > 1 ? { ...made, adopt: first } : made;
    },
  ],
  [
    'an undo makes the revision that it names the newest, with its config, and nothing else comes of it',
    (decide) =>
      fc.property(fc.array(deed, { maxLength: 12 }), fc.nat(), (deeds, which) => {
        const world = afterwards(decide, deeds);
        world.enabled = true;
        world.settle();
        const count = world.revisions.length;
        const pinned = world.revisions.findIndex((one) => configPin(revisionTemplate(one)) !== undefined);
        fc.pre(pinned >= 0);
        const target = world.revisions[which % count];
        fc.pre(target !== undefined && configPin(revisionTemplate(target)) !== undefined);
        const name = world.undo(which);
        expect(world.pass()).toBe(name);
        expect(world.settle()).toBe(name);
        expect(world.revisions).toHaveLength(count);
      }),
    (input) => decideConfig({ ...input, template: withoutPin(input.template) }),
  ],
];

describe.each(LAWS)('%s', (_law, law, broken) => {
  it('holds', () => holds(law(decideConfig), 300));
  it('fails on a decision that breaks it', () => isCaught(law(broken), 500));
});

describe('changes', () => {
  const started = () => {
    const world = new World();
    world.enabled = true;
    world.pass();
    return world;
  };

  test('count when nothing more has changed for a while', () => {
    const world = started();
    const before = world.pass();
    world.config = 2;
    expect(world.pass()).toBe(before);
    world.now += SETTLE_MS - 1;
    world.template = templateOf(2);
    expect(world.pass()).toBe(before);
    world.now += SETTLE_MS - 1;
    expect(world.pass()).toBe(before);
    world.now += 1;
    expect(world.pass()).not.toBe(before);
    expect(world.revisions).toHaveLength(2);
  });

  test('that never end are not waited for for ever', () => {
    const world = started();
    const before = world.pass();
    for (world.config = 2; world.now < SETTLE_LIMIT_MS; world.config++) {
      expect(world.pass()).toBe(before);
      world.now += SETTLE_MS / 2;
    }
    expect(world.pass()).not.toBe(before);
  });

  test('back to what was there before count at once', () => {
    const world = started();
    const before = world.pass();
    world.config = 2;
    world.settle();
    world.config = 1;
    expect(world.pass()).toBe(before);
  });

  test('end an undo, whose mark is taken out of the template then', () => {
    const world = started();
    const first = world.pass();
    world.config = 2;
    world.settle();
    world.undo(world.revisions.findIndex((one) => revisionHash(one) === first));
    expect(world.settle()).toBe(first);
    world.config = 3;
    world.settle();
    expect(configPin(world.current())).toBe(snapshot(3));
    expect(configPin(world.template)).toBeUndefined();
  });
});

test('a snapshot that is not kept is not gone back to', () => {
  const world = new World();
  world.enabled = true;
  world.template = withPin(templateOf(1), snapshot(9));
  world.pass();
  expect(configPin(world.current())).toBe(snapshot(1));
});
