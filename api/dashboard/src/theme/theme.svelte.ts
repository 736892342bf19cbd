// Light or dark: as the system says, until the reader says otherwise. The choice lasts as long as the tab.

export type Theme = "light" | "dark";

const KEY = "opstream-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

class ThemeChoice {
  private chosen: Theme | undefined = $state(read());
  private system: Theme = $state(system.matches ? "dark" : "light");
  readonly current: Theme = $derived(this.chosen ?? this.system);

  constructor() {
    system.addEventListener("change", () => {
      this.system = system.matches ? "dark" : "light";
      this.show();
    });
    this.show();
  }

  toggle(): void {
    this.chosen = this.current === "dark" ? "light" : "dark";
    sessionStorage.setItem(KEY, this.chosen);
    this.show();
  }

  private show(): void {
    document.documentElement.dataset.theme = this.current;
  }
}

function read(): Theme | undefined {
  const stored = sessionStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : undefined;
}

export const theme = new ThemeChoice();
