// Secrets of type kubernetes.io/service-account-token: which account each is of, and what it holds.
import type { Secret } from '@fleetset/scheduler-core/schema/plain';
import type { KubeObject } from './kind.ts';

export const ACCOUNT_TOKEN_TYPE = 'kubernetes.io/service-account-token';
export const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
export const ACCOUNT_UID = 'kubernetes.io/service-account.uid';

export type AccountSecret = Secret & Pick<KubeObject, 'metadata'>;

export const isAccountSecret = (value: unknown): value is AccountSecret =>
  (value as Secret | undefined)?.type === ACCOUNT_TOKEN_TYPE;

/** By its annotations. */
export const accountOfSecret = ({
  metadata,
}: AccountSecret): { readonly name: string; readonly uid?: string } => {
  const { [ACCOUNT_NAME]: name = '', [ACCOUNT_UID]: uid } = metadata.annotations ?? {};
  return { name, ...(uid ? { uid } : {}) };
};
