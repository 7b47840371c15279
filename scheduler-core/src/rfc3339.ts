// Instants as Kubernetes' clients write them.

const SHAPE =
  /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

export function isRfc3339(text: string): boolean {
  const date = SHAPE.exec(text)?.[1];
  if (date === undefined) return false;
  const midnight = new Date(`${date}T00:00:00Z`);
  // The 30th of February is taken for a day in March.
  return midnight.getUTCDate() === Number(date.slice(8));
}
