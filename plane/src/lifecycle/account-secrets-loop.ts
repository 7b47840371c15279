// Fills Secrets of type kubernetes.io/service-account-token with a token, the CA and the namespace, and removes those
// whose account is not there, or is another of that name.
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import { ApiError } from '../api/api-error.ts';
import type { Objects } from '../api/objects.ts';
import { API_AUDIENCES } from '../authentication/authenticate.ts';
import type { AccountTokens } from '../authentication/service-account-tokens.ts';
import {
  ACCOUNT_NAME,
  ACCOUNT_UID,
  type AccountSecret,
  accountOfSecret,
  isAccountSecret,
} from '../kinds/account-secret.ts';
import type { KubeObject } from '../kinds/kind.ts';
import { secretKind } from '../kinds/plain-kinds.ts';
import type { Store, Stored } from '../store/store.ts';
import { schedule } from '../timer.ts';

const SECRETS = 'core/secrets';
const ACCOUNTS = 'core/serviceaccounts';
const LOOK_AGAIN_MS = 30_000;

export interface AccountSecretsParts {
  readonly store: Store;
  readonly objects: Pick<Objects, 'remove'>;
  readonly tokens: Pick<AccountTokens, 'issueFor' | 'judge'>;
  /** PEM. */
  readonly caCertificate: string;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export function startAccountSecretsLoop(parts: AccountSecretsParts): { readonly stop: () => Promise<void> } {
  const { store } = parts;
  const loop = startLevelLoop({
    pass: async () => {
      const secrets = [...store.list(SECRETS)].filter(({ value }) => isAccountSecret(value));
      for (const stored of secrets) await settle(parts, stored);
      // Whether the key of a token was taken back is told by nobody.
      return secrets.length > 0 ? { againInMs: LOOK_AGAIN_MS } : {};
    },
    schedule,
    onFailure: parts.onFailure,
  });
  const watches = [
    store.watch(SECRETS, store.version(), ({ value }) => {
      if (isAccountSecret(value)) loop.wake();
    }),
    store.watch(ACCOUNTS, store.version(), ({ value }) => {
      if (value === undefined) loop.wake();
    }),
  ];
  loop.wake();
  return {
    stop: async () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

/** Whoever changes the Secret meanwhile wakes the loop again. */
async function settle(parts: AccountSecretsParts, { id, version, value }: Stored): Promise<void> {
  const { store } = parts;
  const secret = value as unknown as AccountSecret;
  const { namespace = '', deletionTimestamp } = secret.metadata;
  if (deletionTimestamp) return;
  const { name, uid } = accountOfSecret(secret);
  const account = store.get(ACCOUNTS, `${namespace}/${name}`)?.value as KubeObject | undefined;
  if (!account || (uid && uid !== account.metadata.uid)) return removeSecret(parts, secret);
  const filled = filledSecret(parts, secret, { name, uid: account.metadata.uid ?? '' });
  if (filled)
    await store.commit([
      { collection: SECRETS, id, value: filled as unknown as KubeObject, expect: version, durable: true },
    ]);
}

/** Undefined when nothing is missing. A token that is not good any more, whose key was taken back say, is missing. */
function filledSecret(
  { tokens, caCertificate }: AccountSecretsParts,
  secret: AccountSecret,
  account: { readonly name: string; readonly uid: string },
): AccountSecret | undefined {
  const { metadata, data = {} } = secret;
  const { namespace = '', name = '', uid = '' } = metadata;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const held = Buffer.from(data.token ?? '', 'base64').toString('utf8');
  const isGood = held !== '' && tokens.judge(held, API_AUDIENCES) !== undefined;
  const isWhole =
    isGood &&
    data['ca.crt'] === base64(caCertificate) &&
    data.namespace &&
    metadata.annotations?.[ACCOUNT_UID];
  if (isWhole) return undefined;
  const token = isGood ? data.token : base64(tokens.issueFor(namespace, account, { name, uid }));
  return {
    ...secret,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [ACCOUNT_NAME]: account.name, [ACCOUNT_UID]: account.uid },
    },
    data: {
      ...data,
      'ca.crt': base64(caCertificate),
      namespace: data.namespace || base64(namespace),
      ...(token ? { token } : {}),
    },
  };
}

async function removeSecret({ objects }: AccountSecretsParts, { metadata }: AccountSecret): Promise<void> {
  const { uid = '', resourceVersion = '', namespace, name = '' } = metadata;
  try {
    const preconditions = { uid, resourceVersion };
    await objects.remove(secretKind, namespace, name, { dryRun: false, preconditions });
  } catch (error) {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
  }
}
