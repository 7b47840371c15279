// $(VAR) in commands, arguments and values (rule 106).

/** Unknown references stay as they are written, $$ is one $; what was expanded is not expanded again. */
export function expandVariables(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (written, what: string, name: string | undefined) =>
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
