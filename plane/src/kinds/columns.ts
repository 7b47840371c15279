// Columns that several kinds share, and how cells are written.
import { ageOf } from './age.ts';
import type { Column } from './kind.ts';

export const column = (
  name: string,
  description: string,
  cell: Column['cell'],
  options: Partial<Pick<Column, 'type' | 'format' | 'priority'>> = {},
): Column => ({ name, type: 'string', description, cell, ...options });

export const NAME = column(
  'Name',
  'Name must be unique within a namespace.',
  ({ metadata }) => metadata.name ?? '',
  {
    format: 'name',
  },
);
export const AGE = column('Age', 'How long ago the object was created.', ({ metadata }, now) =>
  ageOf(metadata.creationTimestamp, now),
);

/** `a=b,c=d`, or <none>. */
export function formatLabels(labels: { readonly [key: string]: string } | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '<none>' : entries.map(([key, value]) => `${key}=${value}`).join(',');
}
