// What a Secret of one of Kubernetes' own types must hold, so that a slip is told to whoever makes it and not to the
// programs that need it. Values are never shown.
import { type FieldError, invalid, required } from '@fleetset/scheduler-core/validation/field-error';

import { ACCOUNT_NAME, ACCOUNT_TOKEN_TYPE } from './account-secret.ts';

type Data = { readonly [key: string]: string };

/** `data` is in base64, as it is stored. */
export function validateSecretType(
  type: string | undefined,
  data: Data,
  annotations: { readonly [key: string]: string } = {},
): FieldError[] {
  const missing = (...keys: string[]) =>
    keys.filter((key) => !Object.hasOwn(data, key)).map((key) => required(`data[${key}]`));
  switch (type) {
    case 'kubernetes.io/tls':
      return missing('tls.crt', 'tls.key');
    case 'kubernetes.io/basic-auth': {
      const none = missing('username', 'password');
      return none.length === 2 ? none : [];
    }
    case 'kubernetes.io/ssh-auth':
      return data['ssh-privatekey'] ? [] : [required('data[ssh-privatekey]')];
    case 'kubernetes.io/dockercfg':
      return validateJson('.dockercfg', data);
    case 'kubernetes.io/dockerconfigjson':
      return validateJson('.dockerconfigjson', data);
    case ACCOUNT_TOKEN_TYPE:
      return annotations[ACCOUNT_NAME] ? [] : [required(`metadata.annotations[${ACCOUNT_NAME}]`)];
    default:
      return [];
  }
}

function validateJson(key: string, data: Data): FieldError[] {
  if (!Object.hasOwn(data, key)) return [required(`data[${key}]`)];
  try {
    JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString('utf8'));
    return [];
  } catch {
    return [invalid(`data[${key}]`, '<secret contents redacted>', 'must be JSON')];
  }
}
