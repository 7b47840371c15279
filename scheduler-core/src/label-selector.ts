// Label selectors, as an object in a spec and as the text of `kubectl -l`.
import type { LabelSelector } from './schema/meta.ts';
import { isLabelValue, isQualifiedName } from './validation/names.ts';

export type Labels = { readonly [key: string]: string };

export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

const INTEGER = /^[+-]?\d+$/;

/** As Go's ParseInt: undefined for what is no number or does not fit. */
function parseInt64(text: string | undefined): bigint | undefined {
  if (text === undefined || !INTEGER.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** Rule 13: NotIn and DoesNotExist match an absent label; Gt and Lt need 64-bit integers on both sides. */
export function matchesRequirement(requirement: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    default: {
      const have = parseInt64(value);
      const operand = parseInt64(requirement.values[0]);
      if (have === undefined || operand === undefined) return false;
      return requirement.operator === 'Gt' ? have > operand : have < operand;
    }
  }
}

export const matchesRequirements = (requirements: readonly Requirement[], labels: Labels): boolean =>
  requirements.every((requirement) => matchesRequirement(requirement, labels));

/** An absent selector matches nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  return selector !== undefined && matchesRequirements(selectorRequirements(selector), labels);
}

export function selectorRequirements(selector: LabelSelector): Requirement[] {
  const exact = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }): Requirement => ({ key, operator, values: values ?? [] }),
  );
  return [...exact, ...expressions];
}

/** The text form that `kubectl -l` takes and `kubectl get ds -o wide` shows. */
export function formatSelector(selector: LabelSelector | undefined): string {
  if (!selector) return '<none>';
  const sorted = selectorRequirements(selector).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const texts = sorted.map(({ key, operator, values }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`;
  });
  return texts.length === 0 ? '<none>' : texts.join(',');
}

const WORD = '[A-Za-z0-9_./-]+';
const VALUE = '[A-Za-z0-9_.-]*';
const TERMS: readonly [RegExp, (match: RegExpExecArray) => Requirement][] = [
  [
    new RegExp(`^(${WORD})\\s+(in|notin)\\s*\\(([^()]*)\\)$`),
    ([, key = '', operator, values = '']) => ({
      key,
      operator: operator === 'in' ? 'In' : 'NotIn',
      values: values.split(',').map((value) => value.trim()),
    }),
  ],
  [
    new RegExp(`^(${WORD})\\s*(==|=|!=)\\s*(${VALUE})$`),
    ([, key = '', operator, value = '']) => ({
      key,
      operator: operator === '!=' ? 'NotIn' : 'In',
      values: [value],
    }),
  ],
  [
    new RegExp(`^(${WORD})\\s*([<>])\\s*(${VALUE})$`),
    ([, key = '', operator, value = '']) => ({
      key,
      operator: operator === '>' ? 'Gt' : 'Lt',
      values: [value],
    }),
  ],
  [new RegExp(`^!\\s*(${WORD})$`), ([, key = '']) => ({ key, operator: 'DoesNotExist', values: [] })],
  [new RegExp(`^(${WORD})$`), ([, key = '']) => ({ key, operator: 'Exists', values: [] })],
];

/** Reads `a=b,c!=d,e in (f,g),h,!i`; a string result says what is wrong. */
export function parseSelector(text: string): Requirement[] | string {
  const requirements: Requirement[] = [];
  for (const term of splitTerms(text)) {
    const requirement = parseTerm(term);
    if (!requirement || !canMatch(requirement)) return `unable to parse requirement: ${JSON.stringify(term)}`;
    requirements.push(requirement);
  }
  return requirements;
}

/** What could be on no object is a slip of the pen, and refused as Kubernetes refuses it. */
function canMatch({ key, operator, values }: Requirement): boolean {
  if (!isQualifiedName(key) || !values.every(isLabelValue)) return false;
  return (operator !== 'Gt' && operator !== 'Lt') || parseInt64(values[0]) !== undefined;
}

/** At commas outside parentheses, in one go: a client writes as many of both as it likes. */
function splitTerms(text: string): string[] {
  if (text.trim() === '') return [];
  const terms: string[] = [];
  let start = 0;
  let isInside = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '(') isInside = true;
    else if (letter === ')') isInside = false;
    else if (letter === ',' && !isInside) {
      terms.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return [...terms, text.slice(start).trim()];
}

function parseTerm(term: string): Requirement | undefined {
  for (const [shape, read] of TERMS) {
    const match = shape.exec(term);
    if (match) return read(match);
  }
  return undefined;
}
