// Objects as YAML, as Kubernetes writes it: keys in order, and nothing that an older parser takes for something else.
import { Scalar, stringify } from 'yaml';

export const yamlText = (value: unknown): string =>
  stringify(value, quoted, {
    aliasDuplicateObjects: false,
    compat: 'yaml-1.1',
    indentSeq: false,
    lineWidth: 0,
    sortMapEntries: true,
  }).replace(ODD_BREAKS, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Ends of lines in YAML 1.1, and its byte order mark. */
const ODD_BREAKS = /[\u0085\u2028\u2029\ufeff]/g;

/** The library leaves them plain, and YAML 1.1 knows no plain tab, and = as a value of a kind of its own. */
const NOT_PLAIN = /^=$|^[^\n]*\t[^\n]*$/;

/** The library makes a block of it that is read as empty lines. */
const isBlank = (text: string): boolean => text.includes('\n') && text.trim() === '';

function quoted(_key: unknown, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.search(ODD_BREAKS) < 0 && !NOT_PLAIN.test(value) && !isBlank(value)) return value;
  const scalar = new Scalar(value);
  scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}
