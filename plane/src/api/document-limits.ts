// What a document of a client may cost. The plane has one thread for everybody: what nests too deeply would exhaust its
// stack, and YAML takes a thousand times as long to read as JSON, some of it with the square of its length.
import { CST, type Document, isMap, isScalar, Lexer, visit } from 'yaml';
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

/** Throws 400 for a key that a map has twice. The library's own check compares each key with every other. */
export function requireUniqueKeys(document: Document): void {
  visit(document, {
    Map: (_key, map) => {
      const keys = new Set<unknown>();
      for (const { key } of isMap(map) ? map.items : []) {
        const name = isScalar(key) ? key.value : key;
        if (name !== '<<' && keys.has(name))
          throw badRequest(
            `the body of the request is not YAML: the key ${JSON.stringify(name)} comes twice`,
          );
        keys.add(name);
      }
    },
  });
}
