// Grants that never reached their node. As it connects it says what it was told last: what it was granted since is taken
// back before it is told anything, and granted again as the budget allows. It may have been set aside meanwhile, and
// others may spend what it would.
import type { Held } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Store, Write } from '../store/store.ts';
import { type GrantBook, putGrant } from './grants.ts';

export interface UnheardGrants {
  /** `held`: undefined from an agent that does not say. */
  readonly connected: (nodeName: string, held: Held | undefined) => void;
  /** It is not told anything until its grants have been looked at. */
  readonly isOpen: (nodeName: string) => boolean;
  /** Answers with the DaemonSets concerned. */
  readonly takeBack: () => Promise<readonly string[]>;
}

export function createUnheardGrants(store: Store, grants: GrantBook): UnheardGrants {
  const open = new Map<string, Held>();

  const unheardBy = (nodeName: string, { revisions }: Held) =>
    [...grants.sets()].flatMap((uid) => {
      const granted = grants.of(uid).get(nodeName);
      const told = revisions[uid];
      // Of a DaemonSet that it never heard of nothing runs that could be taken down.
      return granted === undefined || !told || told === granted ? [] : [{ uid, told }];
    });

  return {
    connected: (nodeName, held) => {
      if (held) open.set(nodeName, held);
      else open.delete(nodeName);
    },
    isOpen: (nodeName) => open.has(nodeName),
    takeBack: async () => {
      const looked = [...open];
      const uids = new Set<string>();
      const writes = looked.flatMap(([nodeName, held]) =>
        unheardBy(nodeName, held).map(({ uid, told }): Write => {
          uids.add(uid);
          return putGrant(uid, nodeName, told, grants.isSurge(uid, nodeName));
        }),
      );
      if (writes.length > 0) await store.commit(writes);
      for (const [nodeName, held] of looked) if (open.get(nodeName) === held) open.delete(nodeName);
      return [...uids];
    },
  };
}
