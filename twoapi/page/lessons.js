// Commands to try, and an address for those who only watch.

import { copyButton } from "./copy.js";
import { by, make } from "./dom.js";
import { live } from "./live.js";
import { lessons } from "./panel.js";
import { inLanguage, t } from "./text.js";

/** What a pod calls itself, to stand in a command that somebody copies into a shell: only if it can be
 * the name of an object. @param {string | null | undefined} name @param {string} otherwise */
const safe = (name, otherwise) => (/^[a-z0-9][a-z0-9.-]*$/.test(name ?? "") ? String(name) : otherwise);

by("try").onclick = () => {
  const pod = live.podsOf(0)[0];
  const entries = lessons.commands.map(([what, command]) =>
    [inLanguage(what), command.replace("{namespace}", safe(pod?.namespace, "chesterns")).replace("{pod}", safe(pod?.name, "POD"))]);
  entries.push([t("watch"), `${location.origin}${location.pathname}?watch`]);
  by("commands").replaceChildren(...entries.map(([what, text]) => make("li", "", what, make("code", "", text), copyButton("copy", text))));
  // Drawn by the server when it is asked for: the page itself needs nothing but itself.
  const code = Object.assign(make("img"), { src: `page/qr.svg?${encodeURIComponent(entries[entries.length - 1][1])}`, alt: "QR" });
  // No phone can open an address of this machine.
  if (location.hostname !== "localhost") by("commands").append(make("li", "", code));
  /** @type {HTMLDialogElement} */ (by("lessons")).showModal();
};
