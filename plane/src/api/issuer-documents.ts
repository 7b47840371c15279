// What relying parties need to check a service account token by themselves: OpenID Connect's discovery document and the
// public keys.
import { publicKeySet, type TokenKeys } from '../authentication/json-web-token.ts';
import { ISSUER } from '../authentication/service-account-tokens.ts';
import type { Document } from './documents.ts';

/** By path. `server` is the URL under which clients reach the API. */
export function issuerDocuments(keys: TokenKeys, server: () => string): ReadonlyMap<string, () => Document> {
  const document = (type: string, body: object): Document => ({
    type,
    bytes: Buffer.from(JSON.stringify(body)),
  });
  return new Map([
    [
      '/.well-known/openid-configuration',
      () =>
        document('application/json', {
          issuer: ISSUER,
          jwks_uri: `${server()}/openid/v1/jwks`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        }),
    ],
    ['/openid/v1/jwks', () => document('application/jwk-set+json', publicKeySet(keys.all()))],
  ]);
}
