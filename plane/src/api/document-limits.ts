// What a document of a client may cost. The plane has one thread for everybody: what nests too deeply would exhaust its
// stack, and YAML takes a thousand times as long to read as JSON, some of it with the square of its length.
import { CST, type Document, isMap, isScalar, isSeq, Lexer } from 'yaml';
import { badRequest } from './api-error.ts';

/** Objects of the API nest some twenty deep; what is recursive here stands ten times this. */
const DEPTH_LIMIT = 500;

/** Throws 400 for what nests too deeply. */
export function requireShallow(value: unknown): unknown {
  if (nestsDeeper(value, DEPTH_LIMIT))
    throw badRequest(`the body of the request nests more than ${DEPTH_LIMIT} levels deep`);
  return value;
}

function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const item of Array.isArray(value) ? value : Object.values(value))
    if (typeof item === 'object' && nestsDeeper(item, levels - 1)) return true;
  return false;
}

/** About half a second, and 20,000 lines of a manifest. Long texts are one token. */
const TOKEN_LIMIT = 100_000;
/** What an alias means is searched for through the document. */
const ALIAS_TOKENS = 1000;

/** Throws 400 for YAML that would take long to read. */
export function requireAffordable(text: string): void {
  let cost = 0;
  let isText = false;
  for (const token of new Lexer().lex(text)) {
    cost += !isText && CST.tokenType(token) === 'alias' ? ALIAS_TOKENS : 1;
    if (cost > TOKEN_LIMIT)
      throw badRequest('the body of the request is too large for YAML: send it as JSON');
    isText = token === CST.SCALAR;
  }
}

/**
 * Paths of the keys that a map has more than once, of a document that is shallow. The library's own check compares each
 * key with every other.
 */
export function repeatedKeys(document: Document): string[] {
  const found = new Set<string>();
  const walk = (node: unknown, path: string, levels: number): void => {
    // What is set again later may hide something deep.
    if (levels === 0) return;
    if (isSeq(node))
      for (const [index, item] of node.items.entries()) walk(item, `${path}[${index}]`, levels - 1);
    const keys = new Set<string>();
    for (const { key, value } of isMap(node) ? node.items : []) {
      const name = isScalar(key) ? String(key.value) : '';
      const inner = path === '' ? name : `${path}.${name}`;
      const isMerge = isScalar(key) && typeof key.value === 'symbol';
      if (!isMerge && keys.has(name)) found.add(inner);
      keys.add(name);
      walk(value, inner, levels - 1);
    }
  };
  walk(document.contents, '', DEPTH_LIMIT);
  return [...found];
}
