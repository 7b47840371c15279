// What a node was granted and, by its own word, never heard of.
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { ORPHANS } from '../../src/fleet/orphans.ts';
import { type GrantBook, openGrantBook, putGrant } from '../../src/rollout/grants.ts';
import { createUnheardGrants, type UnheardGrants } from '../../src/rollout/unheard-grants.ts';
import type { Store } from '../../src/store/store.ts';
import { storeFile } from '../support/store.ts';

let store: Store;
let grants: GrantBook;
let unheard: UnheardGrants;
let failing: Error | undefined;

beforeEach(async () => {
  const real = storeFile().open();
  onTestFinished(() => real.close());
  failing = undefined;
  store = { ...real, commit: (writes) => (failing ? Promise.reject(failing) : real.commit(writes)) };
  grants = openGrantBook(store);
  unheard = createUnheardGrants(store, grants);
});

/** One after the other. */
async function grant(revisions: readonly string[], surge = false) {
  for (const revision of revisions) await store.commit([putGrant(store, 'uid-web', 'n1', revision, surge)]);
}
const connect = (revisions: { [uid: string]: string } | undefined) =>
  unheard.connected('n1', revisions && { revisions });
const granted = () => grants.of('uid-web').get('n1');

it.each<[string, string[], { [uid: string]: string } | undefined, string | undefined]>([
  ['what it heard of stays', ['one', 'two'], { 'uid-web': 'two' }, 'two'],
  ['what it did not is taken back', ['one', 'two'], { 'uid-web': 'one' }, 'one'],
  ['also when there were several', ['one', 'two', 'three'], { 'uid-web': 'one' }, 'one'],
  ['and one of them came twice', ['one', 'two', 'one', 'two', 'three'], { 'uid-web': 'two' }, 'two'],
  ['who never heard of the DaemonSet keeps it', ['one', 'two'], {}, 'two'],
  ['who was told to make no pod keeps it', ['one', 'two'], { 'uid-web': '' }, 'two'],
  ['what was never granted nobody gets by saying so', ['one', 'two'], { 'uid-web': 'zero' }, 'two'],
  ['an agent that does not say keeps it', ['one', 'two'], undefined, 'two'],
])('%s', async (_what, revisions, held, left) => {
  await grant(revisions);
  connect(held);
  await unheard.takeBack();
  expect(granted()).toBe(left);
});

it('a surge that was under way stays one', async () => {
  await grant(['one', 'two', 'three'], true);
  connect({ 'uid-web': 'two' });
  expect(await unheard.takeBack()).toEqual(['uid-web']);
  expect([granted(), grants.isSurge('uid-web', 'n1')]).toEqual(['two', true]);
});

it('what another DaemonSet left to this one counts as its own', async () => {
  const orphaned = {
    uid: 'uid-old',
    name: 'old',
    namespace: 'default',
    adopter: { uid: 'uid-web', name: 'web' },
  };
  await store.commit([{ collection: ORPHANS, id: 'uid-old', value: orphaned, durable: true }]);
  for (const revision of ['one', 'two']) await store.commit([putGrant(store, 'uid-old', 'n1', revision)]);
  await store.commit([putGrant(store, 'uid-web', 'n1', 'two', false, 'uid-old')]);
  connect({ 'uid-old': 'one' });
  await unheard.takeBack();
  expect(granted()).toBe('one');
});

it('a node is told nothing before that', async () => {
  await grant(['one', 'two']);
  connect({ 'uid-web': 'two' });
  expect(unheard.isOpen('n1')).toBe(true);
  expect(await unheard.takeBack()).toEqual([]);
  expect(unheard.isOpen('n1')).toBe(false);
});

it('what could not be written is taken back later, and the node is told nothing meanwhile', async () => {
  await grant(['one', 'two']);
  connect({ 'uid-web': 'one' });
  failing = new Error('disk full');
  await expect(unheard.takeBack()).rejects.toThrow('disk full');
  expect([granted(), unheard.isOpen('n1')]).toEqual(['two', true]);
  failing = undefined;
  await unheard.takeBack();
  expect(granted()).toBe('one');
});

it('another hello while it is being written counts', async () => {
  await grant(['one', 'two']);
  connect({ 'uid-web': 'one' });
  const taking = unheard.takeBack();
  connect({ 'uid-web': 'one' });
  await taking;
  expect(unheard.isOpen('n1')).toBe(true);
  expect(await unheard.takeBack()).toEqual([]);
  expect(unheard.isOpen('n1')).toBe(false);
});
