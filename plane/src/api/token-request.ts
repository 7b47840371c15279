// serviceaccounts/token: a token made on request, for an audience, for a time, and bound to an object if asked.

import { accountName } from '@fleetset/scheduler-core/node/service-account';
import { applyDefaults } from '@fleetset/scheduler-core/schema/apply-defaults';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import { type TokenRequest, tokenRequest } from '@fleetset/scheduler-core/schema/service-account';
import { invalid } from '@fleetset/scheduler-core/validation/field-error';
import { tokenLifetimeErrors } from '@fleetset/scheduler-core/validation/volumes';
import {
  type AccountTokens,
  type BoundObject,
  boundToPod,
  ISSUER,
} from '../authentication/service-account-tokens.ts';
import { admitToken } from '../authorization/admit-write.ts';
import { idOf, type KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import { badRequest, conflict, invalidObject, notFoundObject } from './api-error.ts';
import { readObject } from './body.ts';
import type { SubresourceCall } from './resource-call.ts';
import { sendObject } from './respond.ts';

const TOKEN_REQUEST = { group: 'authentication.k8s.io', kind: 'TokenRequest', plural: 'tokenrequests' };

export async function serveTokenRequest(
  { object, user, request, response }: SubresourceCall,
  store: Store,
  tokens: AccountTokens,
): Promise<void> {
  const asked = readRequest(await readObject(request));
  const { name = '', namespace = '', uid = '' } = object.metadata;
  const { expirationSeconds = 3600, boundObjectRef } = asked.spec ?? {};
  const audiences = asked.spec?.audiences?.length ? asked.spec.audiences : [ISSUER];
  requireSameAccount(asked, name, namespace);
  const errors = tokenLifetimeErrors('spec.expirationSeconds', expirationSeconds);
  if (errors.length > 0) throw invalidObject(TOKEN_REQUEST, '', errors);
  const bound = boundObjectRef && boundObject(store, namespace, name, boundObjectRef);
  admitToken(user, name, bound);
  const { token, expiresAt } = tokens.issue({
    namespace,
    account: { name, uid },
    audiences,
    lifetimeSeconds: expirationSeconds,
    ...(bound ? { bound } : {}),
  });
  sendObject(response, 201, {
    ...asked,
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name, namespace, creationTimestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z') },
    spec: { ...asked.spec, audiences },
    status: { token, expirationTimestamp: new Date(expiresAt).toISOString().replace(/\.\d+Z$/, 'Z') },
  });
}

/** Whoever names an account means that one. */
function requireSameAccount({ metadata }: TokenRequest, name: string, namespace: string): void {
  if (metadata?.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (metadata?.name && metadata.name !== name)
    throw invalidObject(TOKEN_REQUEST, name, [
      invalid('metadata.name', metadata.name, 'must match the service account name if specified'),
    ]);
}

function readRequest(body: unknown): TokenRequest {
  const { value, errors } = decode(tokenRequest, body);
  if (errors.length > 0)
    throw badRequest(
      `TokenRequest in version "v1" cannot be handled as a TokenRequest: ${errors.join(', ')}`,
    );
  return applyDefaults(tokenRequest, value) as TokenRequest;
}

type Reference = NonNullable<NonNullable<TokenRequest['spec']>['boundObjectRef']>;

const BINDABLE = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const;

/** Throws when it is not there, is another one of that name, or is not this account's. */
function boundObject(
  store: Store,
  namespace: string,
  account: string,
  { apiVersion = '', kind = '', name = '', uid }: Reference,
): BoundObject {
  if (apiVersion !== 'v1' || !Object.hasOwn(BINDABLE, kind))
    throw badRequest(`cannot bind token to object of type ${groupVersion(apiVersion)}, Kind=${kind}`);
  const bindable = kind as keyof typeof BINDABLE;
  const named = { group: '', kind, plural: BINDABLE[bindable] };
  const id = kind === 'Node' ? name : idOf(namespace, name);
  const object = store.get(`core/${named.plural}`, id)?.value as unknown as KubeObject | undefined;
  if (!object) throw notFoundObject(named, name);
  const foundUid = object.metadata.uid ?? '';
  if (uid && uid !== foundUid)
    throw conflict(
      { ...named, plural: kind },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (kind !== 'Pod') return { kind: bindable, name, uid: foundUid };
  const pod = object as unknown as Pod & Pick<KubeObject, 'metadata'>;
  if (accountName(pod.spec) !== account)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  return boundToPod(pod, store);
}

/** The core group is written with nothing before the slash. */
const groupVersion = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
