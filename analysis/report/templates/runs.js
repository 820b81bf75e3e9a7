"use strict";
/* One run at a time, the one that the address after # names; all of them, as a list, where it names none. */
(() => {
  const root = document.documentElement;
  function route() {
    let path = location.hash.slice(1).split("?")[0];
    try { path = decodeURIComponent(path); } catch { /* it stays as it is */ }
    const target = path && document.getElementById(path);
    const run = target && target.classList.contains("run") ? target : null;
    root.classList.toggle("routed", Boolean(run));
    document.querySelectorAll(".run.shown").forEach((page) => page.classList.remove("shown"));
    if (!run) return;
    run.classList.add("shown");
    const heading = run.querySelector("h2");
    document.title = `${heading.textContent}: supernet-bench`;
    window.scrollTo(0, 0);
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  window.addEventListener("hashchange", route);
  root.classList.add("ready");
  route();
})();
