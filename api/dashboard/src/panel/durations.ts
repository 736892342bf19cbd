// Durations whose distribution can be asked for.
export const DURATIONS = ["latency", "ttft", "queue", "generation"] as const;

export type Duration = (typeof DURATIONS)[number];

export const DURATION_NAMES: Record<Duration, string> = { latency: "Latency", ttft: "Time to first token", queue: "Time in a queue", generation: "Generation" };

export function isDuration(text: string): text is Duration {
  return (DURATIONS as readonly string[]).includes(text);
}
