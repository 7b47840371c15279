// Lines on a terminal that take the place of those drawn before.

/** Each call draws these lines over the last ones. No line may be wider than the terminal. */
export function createRedraw(write: (text: string) => void): (lines: readonly string[]) => void {
  let height = 0;
  return (lines) => {
    // Up to the first of the old lines, and nothing of them left.
    const clear = height > 0 ? `\x1b[${height}A\x1b[0J` : '';
    write(`${clear}${lines.join('\n')}\n`);
    height = lines.length;
  };
}
