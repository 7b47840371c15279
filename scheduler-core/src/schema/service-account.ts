// Kubernetes' ServiceAccount, and the request for a token of it.
import { objectMeta } from './meta.ts';
import { boolean, type Infer, int64, list, listByKey, object, string, time } from './schema.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;
const authentication = (kind: string) => `io.k8s.api.authentication.v1.${kind}`;
const typed = { apiVersion: string(), kind: string(), metadata: objectMeta };

const secretReference = object(core('ObjectReference'), {
  kind: string(),
  namespace: string(),
  name: string(),
  uid: string(),
  apiVersion: string(),
  resourceVersion: string(),
  fieldPath: string(),
});

export const serviceAccount = object(core('ServiceAccount'), {
  ...typed,
  secrets: listByKey(secretReference, 'name'),
  imagePullSecrets: list(object(core('LocalObjectReference'), { name: string() })),
  automountServiceAccountToken: boolean(),
});
export interface ServiceAccount extends Infer<typeof serviceAccount> {}

const boundObjectReference = object(authentication('BoundObjectReference'), {
  apiVersion: string(),
  kind: string(),
  name: string(),
  uid: string(),
});

export const tokenRequest = object(
  authentication('TokenRequest'),
  {
    ...typed,
    spec: object(
      authentication('TokenRequestSpec'),
      {
        audiences: list(string()),
        boundObjectRef: boundObjectReference,
        expirationSeconds: int64({ default: 3600 }),
      },
      ['audiences'],
    ),
    status: object(authentication('TokenRequestStatus'), { expirationTimestamp: time, token: string() }),
  },
  ['spec'],
);
export interface TokenRequest extends Infer<typeof tokenRequest> {}
