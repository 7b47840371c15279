// Fields that a JSON text sets more than once: a parser keeps the last and says nothing.

/** Paths as in other errors: spec.containers[0].image. The text is JSON that was parsed already. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  let at = 0;

  const skipSpace = () => {
    while (/\s/.test(text[at] ?? '')) at += 1;
  };
  const readString = (): string => {
    const start = at;
    at += 1;
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    at += 1;
    return JSON.parse(text.slice(start, at));
  };
  const skipScalar = () => {
    while (at < text.length && !/[\s,\]}]/.test(text[at] ?? '')) at += 1;
  };

  interface Open {
    readonly path: string;
    readonly isObject: boolean;
    /** Most objects of a deep text have one field, and need no set. */
    first?: string;
    keys?: Set<string>;
    index: number;
  }
  // No recursion: what clients send may be deep.
  const open: Open[] = [];
  let path = '';
  const readValue = () => {
    skipSpace();
    const letter = text[at];
    if (letter === '{' || letter === '[') {
      open.push({ path, isObject: letter === '{', index: 0 });
      at += 1;
    } else if (letter === '"') readString();
    else skipScalar();
  };
  readValue();
  for (let top = open.at(-1); top; top = open.at(-1)) {
    skipSpace();
    const letter = text[at];
    if (letter === '}' || letter === ']') {
      at += 1;
      open.pop();
    } else if (letter === ',') at += 1;
    else if (top.isObject) {
      const key = readString();
      path = top.path === '' ? key : `${top.path}.${key}`;
      if (key === top.first || top.keys?.has(key)) found.push(path);
      if (top.first === undefined) top.first = key;
      else top.keys = (top.keys ?? new Set()).add(key);
      skipSpace();
      at += 1;
      readValue();
    } else {
      path = `${top.path}[${top.index}]`;
      top.index += 1;
      readValue();
    }
    if (at >= text.length) break;
  }
  return [...new Set(found)];
}
