// Required node affinity (rules 11 to 14): terms are alternatives, the requirements of a term all count.
import { type Labels, matchesRequirement, type Requirement } from './label-selector.ts';
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from './schema/scheduling.ts';
import { isLabelValue, isQualifiedName } from './validation/names.ts';

export interface NodeIdentity {
  readonly name: string;
  readonly labels: Labels;
}

export function matchesNodeSelector(selector: NodeSelector, node: NodeIdentity): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** An empty term matches nothing; an unreadable requirement voids its term. */
function matchesTerm(term: NodeSelectorTerm, node: NodeIdentity): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  if (!expressions.every(isReadableExpression) || !fields.every(isReadableField)) return false;
  return (
    expressions.every((expression) => matchesRequirement(withValues(expression), node.labels)) &&
    fields.every((field) => matchesRequirement(withValues(field), { 'metadata.name': node.name }))
  );
}

const withValues = ({ key, operator, values }: NodeSelectorRequirement): Requirement => ({
  key,
  operator,
  values: values ?? [],
});

function isReadableExpression({ key, operator, values = [] }: NodeSelectorRequirement): boolean {
  if (!isQualifiedName(key)) return false;
  switch (operator) {
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0;
    case 'In':
    case 'NotIn':
      return values.length > 0 && values.every(isLabelValue);
    case 'Gt':
    case 'Lt':
      return values.length === 1 && /^\d+$/.test(values[0] ?? '');
    default:
      return false;
  }
}

const isReadableField = ({ key, operator, values = [] }: NodeSelectorRequirement): boolean =>
  key === 'metadata.name' && (operator === 'In' || operator === 'NotIn') && values.length === 1;

/** For people: a in (b), !c */
export function formatTerm(term: NodeSelectorTerm): string {
  const parts = [...(term.matchExpressions ?? []), ...(term.matchFields ?? [])].map(
    ({ key, operator, values = [] }) =>
      operator === 'Exists' || operator === 'DoesNotExist'
        ? `${key} ${operator}`
        : `${key} ${operator} (${values.join(', ')})`,
  );
  return parts.length === 0 ? '(empty term: matches nothing)' : parts.join(' and ');
}
