// Kubernetes' reviews: who am I, who is this, may he do that. Asked and answered, never stored.
import { labelSelector, objectMeta } from './meta.ts';
import { boolean, type Infer, list, map, object, string } from './schema.ts';

const authentication = (kind: string) => `io.k8s.api.authentication.v1.${kind}`;
const authorization = (kind: string) => `io.k8s.api.authorization.v1.${kind}`;
const typed = { apiVersion: string(), kind: string(), metadata: objectMeta };

const extra = map(list(string()));

const userInfo = object(authentication('UserInfo'), {
  username: string(),
  uid: string(),
  groups: list(string()),
  extra,
});
export interface UserInfo extends Infer<typeof userInfo> {}

export const tokenReview = object(
  authentication('TokenReview'),
  {
    ...typed,
    spec: object(authentication('TokenReviewSpec'), { token: string(), audiences: list(string()) }),
    status: object(authentication('TokenReviewStatus'), {
      authenticated: boolean(),
      user: userInfo,
      audiences: list(string()),
      error: string(),
    }),
  },
  ['spec'],
);
export interface TokenReview extends Infer<typeof tokenReview> {}

export const selfSubjectReview = object(authentication('SelfSubjectReview'), {
  ...typed,
  status: object(authentication('SelfSubjectReviewStatus'), { userInfo }),
});

const fieldRequirement = object('io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement', {
  key: string(),
  operator: string(),
  values: list(string()),
});
const fieldSelector = object(authorization('FieldSelectorAttributes'), {
  rawSelector: string(),
  requirements: list(fieldRequirement),
});
const labelSelectorAttributes = object(authorization('LabelSelectorAttributes'), {
  rawSelector: string(),
  requirements: labelSelector.fields.matchExpressions,
});

const resourceAttributes = object(authorization('ResourceAttributes'), {
  namespace: string(),
  verb: string(),
  group: string(),
  version: string(),
  resource: string(),
  subresource: string(),
  name: string(),
  fieldSelector,
  labelSelector: labelSelectorAttributes,
});
export interface ResourceAttributes extends Infer<typeof resourceAttributes> {}

const nonResourceAttributes = object(authorization('NonResourceAttributes'), {
  path: string(),
  verb: string(),
});
export interface NonResourceAttributes extends Infer<typeof nonResourceAttributes> {}

const accessStatus = object(
  authorization('SubjectAccessReviewStatus'),
  { allowed: boolean(), denied: boolean(), reason: string(), evaluationError: string() },
  ['allowed'],
);
const subjectSpec = object(authorization('SubjectAccessReviewSpec'), {
  resourceAttributes,
  nonResourceAttributes,
  user: string(),
  groups: list(string()),
  extra,
  uid: string(),
});

export const subjectAccessReview = object(
  authorization('SubjectAccessReview'),
  { ...typed, spec: subjectSpec, status: accessStatus },
  ['spec'],
);
export interface SubjectAccessReview extends Infer<typeof subjectAccessReview> {}

export const localSubjectAccessReview = object(
  authorization('LocalSubjectAccessReview'),
  { ...typed, spec: subjectSpec, status: accessStatus },
  ['spec'],
);

export const selfSubjectAccessReview = object(
  authorization('SelfSubjectAccessReview'),
  {
    ...typed,
    spec: object(authorization('SelfSubjectAccessReviewSpec'), { resourceAttributes, nonResourceAttributes }),
    status: accessStatus,
  },
  ['spec'],
);
export interface SelfSubjectAccessReview extends Infer<typeof selfSubjectAccessReview> {}

export const selfSubjectRulesReview = object(
  authorization('SelfSubjectRulesReview'),
  {
    ...typed,
    spec: object(authorization('SelfSubjectRulesReviewSpec'), { namespace: string() }),
    status: object(
      authorization('SubjectRulesReviewStatus'),
      {
        resourceRules: list(
          object(
            authorization('ResourceRule'),
            {
              verbs: list(string()),
              apiGroups: list(string()),
              resources: list(string()),
              resourceNames: list(string()),
            },
            ['verbs'],
          ),
        ),
        nonResourceRules: list(
          object(
            authorization('NonResourceRule'),
            { verbs: list(string()), nonResourceURLs: list(string()) },
            ['verbs'],
          ),
        ),
        incomplete: boolean(),
        evaluationError: string(),
      },
      ['resourceRules', 'nonResourceRules', 'incomplete'],
    ),
  },
  ['spec'],
);
export interface SelfSubjectRulesReview extends Infer<typeof selfSubjectRulesReview> {}
