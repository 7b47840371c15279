// authentication.k8s.io/v1 and authorization.k8s.io/v1: questions that are created, answered, and never kept.
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  tokenReview,
} from '@fleetset/scheduler-core/schema/reviews';
import type { ObjectSchema } from '@fleetset/scheduler-core/schema/schema';
import { NAME } from './columns.ts';
import type { Kind } from './kind.ts';

const review = (group: string, kind: string, schema: ObjectSchema, namespaced = false): Kind => ({
  group,
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  namespaced,
  schema,
  verbs: ['create'],
  columns: [NAME],
});

const AUTHENTICATION = 'authentication.k8s.io';
const AUTHORIZATION = 'authorization.k8s.io';

export const tokenReviewKind = review(AUTHENTICATION, 'TokenReview', tokenReview);
export const selfSubjectReviewKind = review(AUTHENTICATION, 'SelfSubjectReview', selfSubjectReview);
export const subjectAccessReviewKind = review(AUTHORIZATION, 'SubjectAccessReview', subjectAccessReview);
export const localSubjectAccessReviewKind = review(
  AUTHORIZATION,
  'LocalSubjectAccessReview',
  localSubjectAccessReview,
  true,
);
export const selfSubjectAccessReviewKind = review(
  AUTHORIZATION,
  'SelfSubjectAccessReview',
  selfSubjectAccessReview,
);
export const selfSubjectRulesReviewKind = review(
  AUTHORIZATION,
  'SelfSubjectRulesReview',
  selfSubjectRulesReview,
);

export const REVIEW_KINDS: readonly Kind[] = [
  tokenReviewKind,
  selfSubjectReviewKind,
  subjectAccessReviewKind,
  localSubjectAccessReviewKind,
  selfSubjectAccessReviewKind,
  selfSubjectRulesReviewKind,
];
