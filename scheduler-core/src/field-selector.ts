// `kubectl --field-selector` and the selectors that clients send: metadata.name=x,status.phase!=Running.

export interface FieldTerm {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** A string result says what is wrong. Values may be empty; commas and backslashes come escaped. */
export function parseFieldSelector(text: string): FieldTerm[] | string {
  const terms: FieldTerm[] = [];
  for (const part of text.match(/(?:\\.|[^,])+/g) ?? []) {
    const match = /^([^=!]+)(==|!=|=)(.*)$/.exec(part);
    if (!match) return `invalid selector: '${part}'; can't understand '${part}'`;
    const [, field = '', operator, value = ''] = match;
    terms.push({ field: field.trim(), equal: operator !== '!=', value: value.replace(/\\([,=\\])/g, '$1') });
  }
  return terms;
}

/** `fieldOf` answers the text of a field, '' when it is unset. */
export const matchesFields = (terms: readonly FieldTerm[], fieldOf: (field: string) => string): boolean =>
  terms.every(({ field, equal, value }) => (fieldOf(field) === value) === equal);
