// What the plane keeps of a node beside its Node object: whose key it is, and what the node says of itself.
import { createHash } from 'node:crypto';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { Store } from '../store/store.ts';

export const NODE_RECORDS = 'fleetset/node-records';

export interface NodeRecord {
  readonly name: string;
  /** SHA-256 of the public key the node joined with. */
  readonly keyHash: string;
  /** Set in the node's own configuration; operators cannot change these. */
  readonly ownLabels: { readonly [key: string]: string };
  readonly ownTaints: readonly Taint[];
}

/** Keys of nodes that operators removed: told so when they come back. */
export const REMOVED_KEYS = 'fleetset/removed-node-keys';

export const keyHashOf = (publicKeyDer: Uint8Array): string =>
  createHash('sha256').update(publicKeyDer).digest('hex');

export const nodeRecord = (store: Store, name: string): NodeRecord | undefined =>
  store.get(NODE_RECORDS, name)?.value as unknown as NodeRecord | undefined;
