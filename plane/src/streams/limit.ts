// How many may be served at once.
import { tooManyRequests } from '../api/api-error.ts';

export function createLimit(limit: number, what: string): (serve: () => Promise<void>) => Promise<void> {
  let open = 0;
  return async (serve) => {
    if (open >= limit) throw tooManyRequests(`${limit} ${what} are open: try again later`);
    open += 1;
    try {
      await serve();
    } finally {
      open -= 1;
    }
  };
}
