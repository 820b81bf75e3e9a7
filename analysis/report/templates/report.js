"use strict";
/* What the page can do beyond being read: sort, filter, show one run. The address after # holds all of it:
   #section or #run/KEY, then ?setting=…&target=…&protocol=…&methods=a,b&sort=… so that a view can be sent on. */
(() => {
  const root = document.documentElement;
  const looks = JSON.parse(document.getElementById("looks").textContent);
  const labels = Object.keys(looks);
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const state = { setting: "", target: "", protocol: "", methods: new Set(labels) };

  /* Sorting */

  const missing = /^(\u2013.*|-?)$/s;
  const valueOf = (row, at) => {
    const cell = row.cells[at];
    const text = (cell ? cell.textContent : "").trim();
    if (missing.test(text)) return null;
    const number = text.replace(/\u2212/g, "-").replace(/,(?=\d{3})/g, "").match(/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?(?![\w-])/i);
    return number ? Number(number[0]) : text.toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  function sort(table, at, direction) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [valueOf(row, at), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);  // what is not known stays last
      return direction * compare(a, b);
    });
    body.append(...rows.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (index === at) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }
  all("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.title = "Sort by this column";
      button.addEventListener("click", () => sort(table, at, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
      head.append(button);
    });
  });
  all("table").forEach((table) => {
    if (table.tBodies[0] && table.tBodies[0].rows.length > 16) table.parentElement.classList.add("tall");
  });

  /* Filters */

  const chosen = (label) => {
    const look = looks[label];
    if (!look) return true;
    return state.methods.has(label) && (!state.protocol || look[4] === "both" || look[4] === state.protocol);
  };
  const fits = (element) => {
    const { setting, target } = element.dataset;
    if (state.setting && setting !== undefined && !setting.split(" ").includes(state.setting)) return false;
    return !(state.target && target && target !== state.target);
  };
  const filtered = () => Boolean(state.setting || state.target || state.protocol || state.methods.size < labels.length);
  function apply() {
    all("[data-setting], [data-target]").forEach((element) => {
      if (!element.classList.contains("run")) element.hidden = !fits(element);
    });
    all("tr[data-m]").forEach((row) => {
      row.hidden = !chosen(row.dataset.m) || !fits(row);
    });
    all(".group").forEach((group) => {
      group.hidden = !all(".item", group).some((item) => !item.hidden);
    });
    const partial = state.protocol || state.methods.size < labels.length;
    root.classList.toggle("filtered", Boolean(partial));
    const shown = labels.filter(chosen).length;
    byId("methods-said").textContent = state.methods.size === labels.length ? "all" : `${state.methods.size} of ${labels.length}`;
    byId("filter-said").textContent = filtered()
      ? `Shown: ${shown} of ${labels.length} methods. Pictures and captions are of all methods; tables and drawn charts follow the filters.`
      : "";
    byId("filter-setting").value = state.setting;
    byId("filter-target").value = state.target;
    byId("filter-protocol").value = state.protocol;
    all("#filter-methods input").forEach((box) => { box.checked = state.methods.has(box.value); });
    charts.forEach((chart) => chart.update(chosen));
  }

  /* Charts: drawn when they come near the window, at once where that cannot be told or paper is near. */

  const charts = all(".chart").map((place) => {
    const figure = place.closest("figure");
    const picture = figure.querySelector("img");
    const note = figure.querySelector(".chart-note");
    const content = JSON.parse(byId(place.dataset.plot).textContent);
    const chart = { drawn: false, update: (accepts) => { if (chart.drawn) chart.redraw(accepts); } };
    chart.draw = () => {
      if (chart.drawn) return;
      chart.drawn = true;
      chart.redraw = supernetChart(place, content, looks);
      const bar = document.createElement("div");
      bar.className = "bar";
      const toggle = document.createElement("button");
      toggle.type = "button";
      const show = (interactive) => {
        place.hidden = !interactive;
        picture.hidden = interactive;
        if (note) note.hidden = !interactive;
        toggle.textContent = interactive ? "Show the picture as printed" : "Show the chart with values";
      };
      toggle.addEventListener("click", () => show(place.hidden));
      bar.append(toggle);
      figure.prepend(bar);
      show(true);
      chart.redraw(chosen);
    };
    return Object.assign(chart, { place: figure });
  });
  const drawAll = () => charts.forEach((chart) => chart.draw());
  if ("IntersectionObserver" in window) {
    const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (entry.isIntersecting) {
        near.unobserve(entry.target);
        charts.find((chart) => chart.place === entry.target).draw();
      }
    }), { rootMargin: "600px" });
    charts.forEach((chart) => near.observe(chart.place));
  } else drawAll();
  let wide = window.innerWidth;
  window.addEventListener("resize", () => {  // turned round, or made narrow: the letters keep their size
    if (Math.abs(window.innerWidth - wide) < 40) return;
    wide = window.innerWidth;
    charts.forEach((chart) => chart.update(chosen));
  });
  window.addEventListener("beforeprint", () => { if (root.classList.contains("filtered")) drawAll(); });

  /* The address */

  function read() {
    let hash = location.hash.slice(1);
    try { hash = decodeURIComponent(hash); } catch { /* it stays as it is */ }
    const cut = hash.indexOf("?");
    const path = cut < 0 ? hash : hash.slice(0, cut);
    const asked = new URLSearchParams(cut < 0 ? "" : hash.slice(cut + 1));
    state.setting = asked.get("setting") || "";
    state.target = asked.get("target") || "";
    state.protocol = asked.get("protocol") || "";
    state.methods = new Set(asked.has("methods") ? asked.get("methods").split(";").filter((label) => label in looks) : labels);
    apply();
    if (asked.has("draw")) drawAll();
    if (asked.has("sort")) {
      const [id, column, way] = asked.get("sort").split(":");
      const table = byId(id) && byId(id).querySelector("table.sortable");
      if (table) sort(table, Number(column), way === "down" ? -1 : 1);
    }
    route(path);
  }
  function route(path) {
    const target = path && byId(path);
    const run = target && target.classList.contains("run") ? target : null;
    root.classList.toggle("routed", Boolean(run));
    all(".run.shown").forEach((page) => page.classList.remove("shown"));
    if (run) {
      run.classList.add("shown");
      document.title = `${run.querySelector("h3").textContent}: supernet-bench`;
      window.scrollTo(0, 0);
      const heading = run.querySelector("h3");
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
      return;
    }
    document.title = "supernet-bench: report";
    if (target) target.scrollIntoView();
  }
  function write() {
    const asked = new URLSearchParams();
    for (const name of ["setting", "target", "protocol"]) if (state[name]) asked.set(name, state[name]);
    if (state.methods.size < labels.length) asked.set("methods", [...state.methods].join(";"));
    const path = location.hash.slice(1).split("?")[0];
    const text = asked.toString();
    history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
    apply();
  }
  for (const name of ["setting", "target", "protocol"]) {
    byId(`filter-${name}`).addEventListener("change", (event) => { state[name] = event.target.value; write(); });
  }
  const only = (wanted) => { state.methods = new Set(wanted); write(); };
  byId("filter-methods").addEventListener("change", () => {
    only(all("#filter-methods input").filter((box) => box.checked).map((box) => box.value));
  });
  byId("methods-all").addEventListener("click", () => only(labels));
  byId("methods-none").addEventListener("click", () => only([]));
  byId("filter-reset").addEventListener("click", () => {
    Object.assign(state, { setting: "", target: "", protocol: "" });
    only(labels);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#filter-methods")) byId("filter-methods").open = false;
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    const query = location.hash.split("?")[1];  // filters stay while one walks through the page
    if (query && !link.hash.includes("?")) {
      event.preventDefault();
      location.hash = `${link.hash}?${query}`;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") byId("filter-methods").open = false;
  });
  window.addEventListener("hashchange", read);
  root.classList.add("ready");
  byId("filters").hidden = false;
  read();
})();
