// What a list or a watch may ask for together, in Kubernetes' words.
import { type FieldError, forbidden, notSupported } from '@fleetset/scheduler-core/validation/field-error';
import { invalidObject } from './api-error.ts';
import { flagParameter } from './request.ts';

const MATCHES = ['Exact', 'NotOlderThan'];
const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions', plural: 'listoptions' };

export function requireListOptions(query: URLSearchParams, isWatch: boolean): void {
  const errors = isWatch ? watchErrors(query) : listErrors(query);
  if (errors.length > 0) throw invalidObject(LIST_OPTIONS, '', errors);
}

function listErrors(query: URLSearchParams): FieldError[] {
  const match = query.get('resourceVersionMatch');
  const version = query.get('resourceVersion');
  if (query.has('sendInitialEvents'))
    return [forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list')];
  if (!match) return [];
  const at = 'resourceVersionMatch';
  return [
    ...(version
      ? []
      : [forbidden(at, 'resourceVersionMatch is forbidden unless resourceVersion is provided')]),
    ...(query.get('continue')
      ? [forbidden(at, 'resourceVersionMatch is forbidden when continue is provided')]
      : []),
    ...(MATCHES.includes(match) ? [] : [notSupported(at, match, MATCHES)]),
    ...(match === 'Exact' && version === '0'
      ? [forbidden(at, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')]
      : []),
  ];
}

function watchErrors(query: URLSearchParams): FieldError[] {
  const match = query.get('resourceVersionMatch');
  if (!query.has('sendInitialEvents'))
    return match
      ? [
          forbidden(
            'resourceVersionMatch',
            'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
          ),
        ]
      : [];
  return [
    ...(match === 'NotOlderThan'
      ? []
      : [
          forbidden(
            'resourceVersionMatch',
            'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
          ),
        ]),
    ...(flagParameter(query, 'sendInitialEvents') && !flagParameter(query, 'allowWatchBookmarks')
      ? [forbidden('sendInitialEvents', 'sendInitialEvents requires allowWatchBookmarks')]
      : []),
  ];
}
