// Puts the dashboard onto the page.
import "./theme/theme.css";

import { mount } from "svelte";
import App from "./App.svelte";

mount(App, { target: document.body });
