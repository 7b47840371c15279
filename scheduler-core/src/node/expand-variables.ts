// $(VAR) in commands, arguments and values (rule 106).

const REFERENCE = /\$(\$|\(([^)]*)\))/g;

/** Unknown references stay as they are written, $$ is one $; what was expanded is not expanded again. */
export function expandVariables(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(REFERENCE, (written, what: string, name: string | undefined) =>
    what === '$' ? '$' : (values.get(name ?? '') ?? written),
  );
}

/** In order: a value sees only the variables before it. */
export function expandEnvironment(
  variables: readonly { readonly name: string; readonly value?: string }[],
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const { name, value = '' } of variables) values.set(name, expandVariables(value, values));
  return values;
}

/** Rule 108: a path in a volume needs every variable it names, and may not lead out of it. */
export function expandSubPath(
  text: string,
  values: ReadonlyMap<string, string>,
): string | { readonly message: string } {
  const missing = [...text.matchAll(REFERENCE)].find(([, , name]) => name !== undefined && !values.get(name));
  if (missing) return { message: `missing value for ${JSON.stringify(missing[2])}` };
  const path = expandVariables(text, values);
  if (path.startsWith('/')) return { message: `error SubPath \`${path}\` must not be an absolute path` };
  return path.split('/').includes('..')
    ? { message: `unable to provision SubPath \`${path}\`: must not contain '..'` }
    : path;
}
