// Labels, annotations, names: what every object must get right.
import type { LabelSelector, ObjectMeta } from '../schema/meta.ts';
import { checked, type FieldError, forbidden, invalid, required, tooLong } from './field-error.ts';
import { dnsSubdomainProblem, labelValueProblem, qualifiedNameProblem } from './names.ts';

const ANNOTATIONS_LIMIT = 256 * 1024;

export function validateMetadata(
  metadata: ObjectMeta,
  namespaced: boolean,
  nameProblem: (name: string) => string | undefined = dnsSubdomainProblem,
): FieldError[] {
  const { name, namespace } = metadata;
  return [
    ...(name
      ? checked('metadata.name', name, nameProblem)
      : [required('metadata.name', 'name or generateName is required')]),
    ...(namespaced && !namespace ? [required('metadata.namespace')] : []),
    ...(!namespaced && namespace ? [forbidden('metadata.namespace', 'not allowed on this type')] : []),
    ...validateLabels('metadata.labels', metadata.labels),
    ...validateAnnotations('metadata.annotations', metadata.annotations),
  ];
}

export function validateLabels(field: string, labels: ObjectMeta['labels']): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...checked(field, key, qualifiedNameProblem),
    ...checked(field, value, labelValueProblem),
  ]);
}

export function validateAnnotations(field: string, annotations: ObjectMeta['annotations']): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const size = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return [
    ...entries.flatMap(([key]) => checked(field, key.toLowerCase(), qualifiedNameProblem)),
    ...(size > ANNOTATIONS_LIMIT ? [tooLong(field, ANNOTATIONS_LIMIT)] : []),
  ];
}

export function validateSelector(field: string, selector: LabelSelector): FieldError[] {
  const expressions = (selector.matchExpressions ?? []).flatMap((requirement, index) => {
    const at = `${field}.matchExpressions[${index}]`;
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        return [
          ...checked(`${at}.key`, requirement.key, qualifiedNameProblem),
          ...(values.length === 0
            ? [required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
            : values.flatMap((value, position) =>
                checked(`${at}.values[${position}]`, value, labelValueProblem),
              )),
        ];
      case 'Exists':
      case 'DoesNotExist':
        return [
          ...checked(`${at}.key`, requirement.key, qualifiedNameProblem),
          ...(values.length > 0
            ? [
                forbidden(
                  `${at}.values`,
                  "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                ),
              ]
            : []),
        ];
      default:
        return [invalid(`${at}.operator`, requirement.operator, 'not a valid selector operator')];
    }
  });
  return [...validateLabels(`${field}.matchLabels`, selector.matchLabels), ...expressions];
}
