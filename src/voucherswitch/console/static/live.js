// Keeps a page current: fetches it again every few seconds and replaces its content. Stops while nobody looks.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  const everyMs = Number(main.dataset.live) * 1000;
  let currentAt = Date.now();

  function mark(trouble, stale = true) {
    const fresh = main.querySelector(".fresh");
    if (fresh === null) return;
    let note = fresh.querySelector(".stale-note");
    if (note === null) {
      note = document.createElement("span");
      note.className = "stale-note";
      fresh.append(note);
    }
    const seconds = Math.round((Date.now() - currentAt) / 1000);
    note.textContent = ` · not current for ${seconds} s: ${trouble}`;
    main.classList.toggle("stale", stale);
  }

  // The keyboard stays where it was, and so does what was scrolled sideways.
  function replace(fresh) {
    const focusable = () => [...main.querySelectorAll("a, .scroll")];
    const focused = focusable().indexOf(document.activeElement);
    const scrolled = [...main.querySelectorAll(".scroll")].map((element) => element.scrollLeft);
    main.replaceChildren(...fresh.childNodes);
    main.classList.remove("stale");
    main.querySelectorAll(".scroll").forEach((element, number) => { element.scrollLeft = scrolled[number] ?? 0; });
    if (focused >= 0) focusable()[focused]?.focus({ preventScroll: true });
  }

  async function refresh() {
    if (document.hidden) return;
    if (String(document.getSelection()) !== "") return mark("text is selected", false);
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) return mark(answer.status === 503 ? "the database cannot be read" : `error ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      replace(page.querySelector("main"));
      currentAt = Date.now();
    } catch {
      mark("the console does not answer");
    }
  }

  async function loop() {
    await refresh();
    setTimeout(loop, everyMs);
  }

  setTimeout(loop, everyMs);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void refresh(); });
})();
