// Grants that never reached their node. As it connects it says what it was told last: what it was granted since is taken
// back before it is told anything, and granted again as the budget allows. It may have been set aside meanwhile, and
// others may spend what it would.
import type { Held } from '@fleetset/proto/gen/fleetset/v1/node';
import { adoptedBy } from '../fleet/orphans.ts';
import type { Store, Write } from '../store/store.ts';
import { type GrantBook, takeBackGrant } from './grants.ts';

export interface UnheardGrants {
  /** `held`: undefined from an agent that does not say, which keeps what it was granted. */
  readonly connected: (nodeName: string, held: Held | undefined) => void;
  /** Its grants have not been looked at yet: it is told nothing. */
  readonly isOpen: (nodeName: string) => boolean;
  /** Answers with the DaemonSets concerned. */
  readonly takeBack: () => Promise<readonly string[]>;
}

export function createUnheardGrants(store: Store, grants: GrantBook): UnheardGrants {
  const open = new Map<string, Held>();

  /** Under its own name, or that of one that left its pods to it. */
  const heldOf = (uid: string, { revisions }: Held): string | undefined =>
    revisions[uid] ?? adoptedBy(store, uid).flatMap((earlier) => revisions[earlier] ?? [])[0];

  return {
    connected: (nodeName, held) => {
      if (held) open.set(nodeName, held);
      else open.delete(nodeName);
    },
    isOpen: (nodeName) => open.has(nodeName),
    takeBack: async () => {
      const looked = [...open];
      const uids = new Set<string>();
      const writes: Write[] = [];
      for (const [nodeName, all] of looked)
        for (const uid of grants.sets()) {
          const held = grants.of(uid).has(nodeName) ? heldOf(uid, all) : undefined;
          const unheard = held ? takeBackGrant(store, uid, nodeName, held) : [];
          if (unheard.length > 0) uids.add(uid);
          writes.push(...unheard);
        }
      if (writes.length > 0) await store.commit(writes);
      for (const [nodeName, held] of looked) if (open.get(nodeName) === held) open.delete(nodeName);
      return [...uids];
    },
  };
}
