// What the user typed cannot be done; the message says what to do instead. Exit code 2.
export class UsageError extends Error {}

/** What was asked failed for a reason the user can act on. Exit code 1, no stack. */
export class CommandFailed extends Error {}
