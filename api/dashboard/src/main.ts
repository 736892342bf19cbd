// Puts the dashboard onto the page.
import "./theme/theme.css";

import { mount } from "svelte";
import App from "./App.svelte";
import { PAGES } from "./pages";
import { place } from "./state/place.svelte";

// The page's own files are on their way while the frame is built.
PAGES.find((one) => one.name === place.view.page)?.load().catch(() => undefined);
mount(App, { target: document.body });
