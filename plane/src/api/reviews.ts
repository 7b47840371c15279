// Answers reviews: who a token is, who I am, and who may do what. Nothing is stored.

import type { Access } from '@fleetset/scheduler-core/rbac/attributes';
import { formatList } from '@fleetset/scheduler-core/rbac/covers-rules';
import type {
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  TokenReview,
  UserInfo,
} from '@fleetset/scheduler-core/schema/reviews';
import { type FieldError, invalid, required } from '@fleetset/scheduler-core/validation/field-error';
import { API_AUDIENCES, type AuthenticationParts, judgeBearer } from '../authentication/authenticate.ts';
import type { User } from '../authentication/user.ts';
import { type Authorizer, formatProblems } from '../authorization/authorizer.ts';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import {
  localSubjectAccessReviewKind,
  selfSubjectAccessReviewKind,
  selfSubjectReviewKind,
  selfSubjectRulesReviewKind,
  subjectAccessReviewKind,
  tokenReviewKind,
} from '../kinds/review-kinds.ts';
import { badRequest, invalidObject } from './api-error.ts';

/** The review with its status. `user` asks. */
export type Review = (asked: KubeObject, user: User, namespace: string | undefined) => object;

export function createReviews(
  authentication: AuthenticationParts,
  authorizer: Authorizer,
): ReadonlyMap<Kind, Review> {
  const access = (user: User, spec: AccessSpec) => ({ ...authorizer.judge(user, accessIn(spec)) });
  return new Map<Kind, Review>([
    [tokenReviewKind, (asked) => ({ ...asked, status: tokenStatus(authentication, asked) })],
    [selfSubjectReviewKind, (asked, user) => ({ ...asked, status: { userInfo: userInfo(user) } })],
    [
      selfSubjectAccessReviewKind,
      (asked, user) => {
        const { spec } = asked as unknown as SelfSubjectAccessReview;
        requireValid(selfSubjectAccessReviewKind, accessErrors(spec ?? {}));
        return { ...asked, status: said(access(user, spec ?? {})) };
      },
    ],
    [
      subjectAccessReviewKind,
      (asked) => {
        const { spec = {} } = asked as unknown as SubjectAccessReview;
        requireValid(subjectAccessReviewKind, [...accessErrors(spec), ...subjectErrors(spec)]);
        return { ...asked, status: said(access(subjectOf(spec), spec)) };
      },
    ],
    [
      localSubjectAccessReviewKind,
      (asked, _user, namespace) => {
        const { spec = {} } = asked as unknown as SubjectAccessReview;
        requireValid(localSubjectAccessReviewKind, localErrors(spec, asked, namespace));
        return { ...asked, status: said(access(subjectOf(spec), spec)) };
      },
    ],
    [
      selfSubjectRulesReviewKind,
      (asked, user) => ({ ...asked, status: rulesStatus(authorizer, user, asked) }),
    ],
  ]);
}

interface AccessSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

const said = ({ allowed, reason }: { readonly allowed: boolean; readonly reason: string }): object => ({
  allowed,
  ...(reason === '' ? {} : { reason }),
});

function accessIn({ resourceAttributes, nonResourceAttributes }: AccessSpec): Access {
  if (!resourceAttributes)
    return { verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' };
  const { namespace, verb = '', group = '', resource = '', subresource, name } = resourceAttributes;
  return {
    verb,
    group,
    resource,
    ...(subresource ? { subresource } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
  };
}

function accessErrors(spec: AccessSpec): FieldError[] {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (resourceAttributes && nonResourceAttributes)
    return [
      invalid(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  if (resourceAttributes || nonResourceAttributes) return [];
  return [
    invalid(
      'spec.resourceAttributes',
      null,
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    ),
  ];
}

function subjectErrors({ user = '', groups = [] }: NonNullable<SubjectAccessReview['spec']>): FieldError[] {
  return user === '' && groups.length === 0
    ? [invalid('spec.user', user, 'at least one of user or group must be specified')]
    : [];
}

function localErrors(
  spec: NonNullable<SubjectAccessReview['spec']>,
  { metadata }: KubeObject,
  namespace: string | undefined,
): FieldError[] {
  const inside = spec.resourceAttributes?.namespace ?? '';
  if (metadata.namespace !== undefined && metadata.namespace !== namespace)
    throw badRequest(
      `namespace does not match the namespace on the request: ${metadata.namespace} and ${namespace}`,
    );
  return [
    ...accessErrors(spec),
    ...subjectErrors(spec),
    ...(spec.nonResourceAttributes
      ? [
          invalid(
            'spec.nonResourceAttributes',
            spec.nonResourceAttributes,
            'disallowed on this kind of request',
          ),
        ]
      : []),
    ...(spec.resourceAttributes && inside !== namespace
      ? [invalid('spec.resourceAttributes.namespace', inside, `must match metadata.namespace: ${namespace}`)]
      : []),
  ];
}

function requireValid(kind: Kind, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject(kind, '', errors);
}

const subjectOf = ({
  user = '',
  groups = [],
  uid,
  extra,
}: NonNullable<SubjectAccessReview['spec']>): User => ({
  name: user,
  groups,
  ...(uid ? { uid } : {}),
  ...(extra ? { extra } : {}),
});

const userInfo = ({ name, uid, groups, extra }: User): UserInfo => ({
  username: name,
  ...(uid ? { uid } : {}),
  groups,
  ...(extra ? { extra } : {}),
});

function tokenStatus(authentication: AuthenticationParts, asked: KubeObject): object {
  const { spec } = asked as unknown as TokenReview;
  const { token = '', audiences = [] } = spec ?? {};
  if (token === '')
    requireValid(tokenReviewKind, [
      required('spec.token', 'token is required for TokenReview in authentication'),
    ]);
  const wanted = audiences.length > 0 ? audiences : API_AUDIENCES;
  const judged = judgeBearer(authentication, token, wanted);
  if (!judged) return { user: {}, error: `the token is not good here, or not for ${formatList(wanted)}` };
  return { authenticated: true, user: userInfo(judged.user), audiences: judged.audiences };
}

function rulesStatus(authorizer: Authorizer, user: User, asked: KubeObject): object {
  const { spec } = asked as unknown as SelfSubjectRulesReview;
  if (!spec?.namespace) throw badRequest('no namespace on request');
  const { rules, problems } = authorizer.heldRules(user, spec.namespace);
  return {
    resourceRules: rules
      .filter(({ nonResourceURLs = [] }) => nonResourceURLs.length === 0)
      .map(({ verbs, apiGroups = [], resources = [], resourceNames }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames ? { resourceNames } : {}),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs = [] }) => nonResourceURLs.length > 0)
      .map(({ verbs, nonResourceURLs = [] }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
    ...(problems.length > 0 ? { evaluationError: formatProblems(problems) } : {}),
  };
}
