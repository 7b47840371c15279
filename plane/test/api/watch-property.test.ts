// Informers: they list, watch, lose their connection, and go on from the last version they saw, while others write.
// However it goes, each ends with exactly what is there, and on the way it was never told anything impossible.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { runs } from '../support/fixed-seed.ts';
import { configMap, newNamespace } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

interface Informer {
  /** Versions of what it holds, by name. */
  readonly holds: ReadonlyMap<string, string>;
  readonly impossible: readonly string[];
  readonly stop: () => void;
}

/** Breaks its own connection after so many events, again and again. */
async function startInformer(path: string, selector: string, breaks: readonly number[]): Promise<Informer> {
  const holds = new Map<string, string>();
  const impossible: string[] = [];
  const query = selector && `&labelSelector=${encodeURIComponent(selector)}`;
  const list = await plane.api.ok('GET', `${path}?limit=500${query}`);
  for (const { metadata } of list.items) holds.set(metadata.name, metadata.resourceVersion);
  let version = list.metadata.resourceVersion as string;
  let stopped = false;
  let current: { close: () => void } | undefined;

  const take = ({ type, object }: Json) => {
    const { name, resourceVersion } = object.metadata;
    if (Number(resourceVersion) <= Number(version))
      impossible.push(`${type} ${name} at ${resourceVersion} after ${version}`);
    if (holds.has(name) !== (type !== 'ADDED')) impossible.push(`${type} ${name} at ${resourceVersion}`);
    if (type === 'DELETED') holds.delete(name);
    else holds.set(name, resourceVersion);
    version = resourceVersion;
  };

  const follow = async () => {
    for (let round = 0; !stopped; round++) {
      const limit = breaks[round % breaks.length] ?? 1;
      const stream = await plane.api.watch(`${path}?watch=true&resourceVersion=${version}${query}`);
      current = stream;
      let taken = 0;
      await until('events or the end', () => {
        for (; taken < stream.events.length && taken < limit; taken++) take(stream.events[taken]);
        return taken >= limit || stopped;
      });
      stream.close();
    }
  };
  const following = follow().catch((error: unknown) => void impossible.push(String(error)));
  return {
    holds,
    impossible,
    stop: () => {
      stopped = true;
      current?.close();
      void following;
    },
  };
}

type Step = readonly ['put' | 'on' | 'off' | 'drop', string];
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('put', 'on', 'off', 'drop'),
  fc.constantFrom('a', 'b', 'c', 'd', 'e'),
);

async function perform(path: string, [what, name]: Step, number: number): Promise<void> {
  const target = `${path}/${name}`;
  if (what === 'drop') await plane.api.call('DELETE', target);
  else {
    const labels = what === 'put' ? undefined : { on: what };
    const change = { data: { number: String(number) }, ...(labels ? { metadata: { labels } } : {}) };
    const { status } = await plane.api.call('PATCH', target, change, { type: MERGE });
    if (status === 404) await plane.api.call('POST', path, configMap(name, change.data, { labels }));
  }
}

describe('an informer', () => {
  // Seen failing when follow() in store/mirror.ts replays with `>=`, and when the watch is opened after the past was
  // read (a change in between was missed), and without `previous` in the store's changes (selector transitions).
  it('never misses, repeats or reorders, over any breaks and any writes at the same time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 5, maxLength: 25 }), { minLength: 3, maxLength: 3 }),
        fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }), {
          minLength: 4,
          maxLength: 4,
        }),
        async (writers, breaks) => {
          const path = `/api/v1/namespaces/${await newNamespace(plane.api)}/configmaps`;
          const selectors = ['', 'on=on', 'on!=on', ''];
          const informers = await Promise.all(
            selectors.map((selector, index) => startInformer(path, selector, breaks[index] ?? [1])),
          );
          await Promise.all(
            writers.map(async (steps) => {
              for (const [number, one] of steps.entries()) await perform(path, one, number);
            }),
          );
          for (const [index, informer] of informers.entries()) {
            const query = selectors[index] && `?labelSelector=${encodeURIComponent(selectors[index])}`;
            const { items } = await plane.api.ok('GET', path + query);
            const there = Object.fromEntries(
              items.map(({ metadata }: Json) => [metadata.name, metadata.resourceVersion]),
            );
            await until('the informer holds what is there', () => {
              if (informer.impossible.length > 0) throw new Error(informer.impossible.join('; '));
              return (
                JSON.stringify(sorted(informer.holds)) ===
                JSON.stringify(sorted(new Map(Object.entries(there))))
              );
            });
            informer.stop();
          }
        },
      ),
      runs(12),
    );
  });
});

const sorted = (map: ReadonlyMap<string, unknown>): Json => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
