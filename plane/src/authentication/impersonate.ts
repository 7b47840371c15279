// Acting as somebody else (kubectl --as): who asks must be allowed to be each name that he takes.
import type { IncomingMessage } from 'node:http';
import type { ResourceAccess } from '@fleetset/scheduler-core/rbac/attributes';
import { ApiError } from '../api/api-error.ts';
import {
  ANONYMOUS,
  AUTHENTICATED,
  accountGroups,
  accountOfUser,
  UNAUTHENTICATED,
  type User,
} from './user.ts';

const EXTRA = 'impersonate-extra-';

interface Asked {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: { readonly [key: string]: readonly string[] };
}

/** The user to serve the request as. `require` throws 403 for what `user` may not do. */
export function impersonated(
  user: User,
  { headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>,
  require: (user: User, access: ResourceAccess) => void,
): User {
  const asked = askedFor(headersDistinct);
  if (!asked) return user;
  for (const access of accessesFor(asked)) require(user, access);
  const { name, uid, extra } = asked;
  return {
    name,
    ...(uid === '' ? {} : { uid }),
    groups: groupsOf(asked),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

function askedFor(headers: IncomingMessage['headersDistinct']): Asked | undefined {
  const name = headers['impersonate-user']?.[0] ?? '';
  const uid = headers['impersonate-uid']?.[0] ?? '';
  const groups = (headers['impersonate-group'] ?? []).filter((group) => group !== '');
  const extra = Object.fromEntries(
    Object.entries(headers).flatMap(([header, values = []]): [string, string[]][] =>
      header.startsWith(EXTRA) ? [[decodeKey(header.slice(EXTRA.length)), values]] : [],
    ),
  );
  if (name !== '') return { name, uid, groups, extra };
  if (uid === '' && groups.length === 0 && Object.keys(extra).length === 0) return undefined;
  throw new ApiError(
    500,
    'InternalError',
    'Internal error occurred: requested impersonation of a group, a uid or extra values without impersonating a user',
  );
}

/** Keys that are no header's name come percent-encoded. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function accessesFor({ name, uid, groups, extra }: Asked): ResourceAccess[] {
  const verb = 'impersonate';
  const account = accountOfUser(name);
  const authentication = 'authentication.k8s.io';
  return [
    account
      ? { verb, group: '', resource: 'serviceaccounts', ...account }
      : { verb, group: '', resource: 'users', name },
    ...groups.map((group) => ({ verb, group: '', resource: 'groups', name: group })),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ({
        verb,
        group: authentication,
        resource: 'userextras',
        subresource: key,
        name: value,
      })),
    ),
    ...(uid === '' ? [] : [{ verb, group: authentication, resource: 'uids', name: uid }]),
  ];
}

/** Those asked for, else a service account's own; and whether he is somebody at all. */
function groupsOf({ name, groups }: Asked): string[] {
  const account = accountOfUser(name);
  const own = groups.length === 0 && account ? accountGroups(account.namespace) : groups;
  const standing = name === ANONYMOUS.name ? UNAUTHENTICATED : AUTHENTICATED;
  const said = own.includes(AUTHENTICATED) || own.includes(UNAUTHENTICATED);
  return said ? [...own] : [...own, standing];
}
