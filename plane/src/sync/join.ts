// A machine joins: its token is judged, its name is free or its own, and its key is signed and remembered.
import { createPublicKey, randomUUID, verify } from 'node:crypto';
import type { JoinRequest, JoinResponse } from '@fleetset/proto/gen/fleetset/v1/node';
import { nodeNameProblem } from '@fleetset/scheduler-core/validation/names';
import { status } from '@grpc/grpc-js';
import { keyHashOf, NODE_RECORDS, type NodeRecord, nodeRecord, REMOVED_KEYS } from '../fleet/node-record.ts';
import type { Authority } from '../identity/authority.ts';
import { judgeToken } from '../identity/bootstrap-token.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';

export class JoinRefused extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface JoinParts {
  readonly store: Store;
  readonly authority: Authority;
  readonly nowText: () => string;
}

/** What a joining machine signs with its key. */
const proofText = (nodeName: string, tokenId: string): string => `fleetset-join:${nodeName}:${tokenId}`;

export async function join(parts: JoinParts, request: JoinRequest): Promise<JoinResponse> {
  const { store, authority } = parts;
  const token = judgeToken(store, request.token, Date.now());
  if (!token.good) throw new JoinRefused(status.UNAUTHENTICATED, token.why);
  requireName(request.nodeName);
  requireProof(request, token.id);
  const keyHash = keyHashOf(request.publicKey);
  if (store.get(REMOVED_KEYS, keyHash))
    throw new JoinRefused(
      status.PERMISSION_DENIED,
      'this key was removed from the fleet: join with a new one',
    );
  const existing = nodeRecord(store, request.nodeName);
  if (existing && existing.keyHash !== keyHash) throw taken(request.nodeName);
  const certificate = await authority.signNode(request.nodeName, request.publicKey);
  // The same key again is the same machine, whose first answer got lost.
  if (!existing && !(await registerNode(parts, request.nodeName, keyHash))) throw taken(request.nodeName);
  return { certificate, caCertificate: authority.caCertificate };
}

const taken = (name: string): JoinRefused =>
  new JoinRefused(
    status.ALREADY_EXISTS,
    `a node named ${name} is part of the fleet already. Use --node-name for another name, or remove the old node first (kubectl delete node ${name})`,
  );

function requireName(name: string): void {
  const problem = nodeNameProblem(name);
  if (problem)
    throw new JoinRefused(status.INVALID_ARGUMENT, `node name ${JSON.stringify(name)}: ${problem}`);
}

function requireProof(request: JoinRequest, tokenId: string): void {
  const text = Buffer.from(proofText(request.nodeName, tokenId));
  try {
    const key = createPublicKey({ key: Buffer.from(request.publicKey), format: 'der', type: 'spki' });
    const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    if (isP256 && verify('sha256', text, key, Buffer.from(request.proof))) return;
  } catch {
    // Said below: what cannot be read proves nothing.
  }
  throw new JoinRefused(
    status.INVALID_ARGUMENT,
    'the proof does not fit the public key (EC P-256 is needed)',
  );
}

/** False when the name is taken. */
export async function registerNode(
  { store, nowText }: Pick<JoinParts, 'store' | 'nowText'>,
  name: string,
  keyHash: string,
): Promise<boolean> {
  const node: KubeObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: randomUUID(),
      creationTimestamp: nowText(),
      labels: { 'kubernetes.io/hostname': name },
    },
    spec: {},
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'Unknown',
          reason: 'NodeStatusNeverUpdated',
          message: 'The agent has not reported yet.',
          lastTransitionTime: nowText(),
        },
      ],
    },
  };
  const record: NodeRecord = {
    name,
    keyHash,
    ownLabels: { 'kubernetes.io/hostname': name },
    ownTaints: [],
  };
  const writes: Write[] = [
    { collection: 'core/nodes', id: name, value: node, expect: 'absent', durable: true },
    { collection: NODE_RECORDS, id: name, value: { ...record }, expect: 'absent', durable: true },
  ];
  return (await store.commit(writes)).committed;
}
