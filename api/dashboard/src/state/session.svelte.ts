// What is known of the server: whether it is there, whether it wants a token, and that another one was given.
import { onReach } from "../api/client";

class Session {
  needsToken: boolean = $state(false);
  /** Counts the tokens that were given: everything is asked for again with the new one. */
  tokens: number = $state(0);

  /** Since when it does not answer; none while it does. */
  lostAt: number | undefined = $state();

  /** Begins to hear of every question. */
  follow(): void {
    onReach((isThere) => {
      if (isThere) this.lostAt = undefined;
      else this.lostAt ??= Date.now();
    });
  }

  given(): void {
    this.needsToken = false;
    this.tokens += 1;
  }
}

export const session = new Session();
