// Whether the server wants a token, and that another one was given.

class Session {
  needsToken: boolean = $state(false);
  /** Counts the tokens that were given: everything is asked for again with the new one. */
  tokens: number = $state(0);

  given(): void {
    this.needsToken = false;
    this.tokens += 1;
  }
}

export const session = new Session();
