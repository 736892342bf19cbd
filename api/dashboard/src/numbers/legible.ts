// Names as they are. Pure.

/** What nobody sees, or what turns the text around it: controls, zero-width signs and marks of direction; not those that join letters. */
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A name whose hidden signs are shown by their numbers, so that two names that differ look different, and none turns its neighbours. */
export function legible(name: string): string {
  return name.replaceAll(HIDDEN, numbered);
}

/** The same of text, which has lines and tabs. */
export function legibleText(text: string): string {
  return text.replaceAll(HIDDEN, (sign) => (/[\t\r\n]/.test(sign) ? sign : numbered(sign)));
}

function numbered(sign: string): string {
  return `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
