// The labels a machine may give itself: as Kubernetes takes labels, and none that only an administrator may give it.
import type { ObjectMeta } from '../schema/meta.ts';
import { type FieldError, forbidden } from './field-error.ts';
import { validateLabels } from './metadata.ts';

const RESTRICTED = 'node-restriction.kubernetes.io';

export function validateOwnLabels(field: string, labels: ObjectMeta['labels']): FieldError[] {
  return [
    ...validateLabels(field, labels),
    ...Object.keys(labels ?? {})
      .filter(isRestricted)
      .map((key) => forbidden(`${field}[${key}]`, `a node may not give itself labels under ${RESTRICTED}/`)),
  ];
}

/** As Kubernetes' NodeRestriction admission has it: the domain and every one below it. */
function isRestricted(key: string): boolean {
  const [domain = ''] = key.split('/', 1);
  return key.includes('/') && (domain === RESTRICTED || domain.endsWith(`.${RESTRICTED}`));
}
