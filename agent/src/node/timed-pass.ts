// Times the passes of a loop. Nothing is told of a pass that hangs.

export type OnPass = (durationMs: number, failed: boolean) => void;

export const timedPass =
  <T>(pass: () => Promise<T>, monotonicNow: () => number, onPass: OnPass | undefined): (() => Promise<T>) =>
  async () => {
    const beganAt = monotonicNow();
    let failed = true;
    try {
      const answer = await pass();
      failed = false;
      return answer;
    } finally {
      onPass?.(monotonicNow() - beganAt, failed);
    }
  };
