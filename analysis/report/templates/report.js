"use strict";
/* What the page can do beyond being read: sort, filter, show one run. The address after # holds all of it:
   #section, then ?view=…&setting=…&target=…&protocol=…&methods=a;b&find=…&sort=… so that it can be sent on. A view is one
   setting and protocol: its answer on the first screen, and its tables, figures and runs below. */
(() => {
  const root = document.documentElement;
  const looks = JSON.parse(document.getElementById("looks").textContent);
  const labels = Object.keys(looks);
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const state = { view: "", setting: "", target: "", protocol: "", find: "", methods: new Set(labels) };
  const views = all("#views a[data-view]");
  const ownOf = (link) => ({ setting: link ? link.dataset.slug : "", protocol: link ? link.dataset.protocol : "", target: "", find: "" });
  const viewOf = (id) => views.find((link) => link.dataset.view === id);

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

  const chosen = (label, protocol = state.protocol) => {
    const look = looks[label];
    if (!look) return true;
    return state.methods.has(label) && (!protocol || look[4] === "both" || look[4] === protocol);
  };
  const fits = (element) => {
    const { setting, target } = element.dataset;
    if (state.setting && setting !== undefined && !setting.split(" ").includes(state.setting)) return false;
    return !(state.target && target && target !== state.target);
  };
  const holds = (element) => !state.find || element.textContent.toLowerCase().includes(state.find.toLowerCase());
  const both = (element) => Boolean(element.closest("#chapter-protocols, #chapter-claims, #chapter-parts"));
  const protocolOf = (element) => (both(element) ? "" : state.protocol);  // these compare the two
  function apply() {
    all("[data-setting], [data-target]").forEach((element) => { element.hidden = !fits(element); });
    all("#chapters tr[data-m], #runs tr[data-m]").forEach((row) => {
      row.hidden = !chosen(row.dataset.m, protocolOf(row)) || !fits(row);
    });
    all("#runs tbody tr").forEach((row) => { if (!row.hidden) row.hidden = !holds(row); });
    if (state.find) all(".item").forEach((item) => { if (!item.hidden) item.hidden = !holds(item.closest(".group").querySelector("h3")) && !holds(item); });
    const empty = (part, inner) => !all(inner, part).some((one) => !one.hidden);
    all(".item .scroll").forEach((part) => {
      if (fits(part)) part.hidden = all("tbody tr", part).length > 0 && empty(part, "tbody tr");
    });
    all(".item").forEach((item) => {  // a heading stands over something
      const tables = all(".scroll", item);
      if (tables.length && tables.every((part) => part.hidden)) item.hidden = true;
    });
    charts.forEach((chart) => {
      const item = chart.place.closest(".item");
      if (chart.methods.length && !chart.methods.some(accepted(chart))) item.hidden = true;
    });
    all(".group").forEach((group) => { group.hidden = empty(group, ".item"); });
    all(".chapter").forEach((chapter) => {
      chapter.hidden = empty(chapter, ".group");
      all(`li[data-chapter="${chapter.id.replace("chapter-", "")}"]`).forEach((entry) => { entry.hidden = chapter.hidden; });
    });
    all(".answer").forEach((answer) => { answer.hidden = Boolean(state.view) && answer.dataset.view !== state.view; });
    views.forEach((link) => {
      if (link.dataset.view === state.view) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    byId("methods-said").textContent = state.methods.size === labels.length ? "all" : `${state.methods.size} of ${labels.length}`;
    const said = [];
    if (state.find) said.push(`that hold \u201c${state.find}\u201d`);
    if (state.methods.size < labels.length) said.push(`of ${state.methods.size} of ${labels.length} methods`);
    if (state.target) said.push(`scored on ${state.target}`);
    const nothing = !all("#chapters .item").some((item) => !item.hidden) && empty(byId("runs"), "tbody tr");
    const begin = nothing ? "Nothing below: there are no tables, figures and runs" : "Shown below: tables, figures and runs";
    byId("filter-said").textContent = said.length ? `${begin} ${said.join(", ")}.${nothing ? "" : " Captions speak of all."}` : "";
    for (const name of ["setting", "target", "protocol"]) byId(`filter-${name}`).value = state[name];
    if (document.activeElement !== byId("filter-text")) byId("filter-text").value = state.find;
    all("#filter-methods input").forEach((box) => { box.checked = state.methods.has(box.value); });
    charts.forEach((chart) => chart.update(accepted(chart)));
  }

  /* Charts: drawn when they come near the window, at once where that cannot be told or paper is near. */

  const accepted = (chart) => (label) => chosen(label, protocolOf(chart.place));
  const charts = all(".chart").map((place) => {
    const figure = place.closest("figure");
    const note = figure.querySelector(".chart-note");
    const content = JSON.parse(byId(place.dataset.plot).textContent);
    const named = content.series ? content.columns[content.series].words || [] : [];
    const chart = { methods: named.filter((label) => label in looks), drawn: false, update: (accepts) => { if (chart.drawn) chart.redraw(accepts); } };
    chart.draw = () => {
      if (chart.drawn) return;
      chart.drawn = true;
      chart.redraw = supernetChart(place, content, looks);
      place.hidden = false;
      if (note) note.hidden = false;
      chart.redraw(accepted(chart));
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
    charts.forEach((chart) => chart.update(accepted(chart)));
  });
  window.addEventListener("beforeprint", () => charts.filter((chart) => chart.place.closest(".item:not([hidden])")).forEach((chart) => chart.draw()));

  /* The address */

  function read() {
    let hash = location.hash.slice(1);
    try { hash = decodeURIComponent(hash); } catch { /* it stays as it is */ }
    const cut = hash.indexOf("?");
    const path = cut < 0 ? hash : hash.slice(0, cut);
    const asked = new URLSearchParams(cut < 0 ? "" : hash.slice(cut + 1));
    const plain = !asked.has("setting");
    const first = plain && views.length ? views[0].dataset.view : "";
    view(viewOf(asked.get("view")) ? asked.get("view") : first);
    for (const name of ["setting", "target", "protocol", "find"]) if (asked.has(name)) state[name] = asked.get(name);
    if (!asked.has("target")) state.target = "";
    if (!asked.has("find")) state.find = "";
    state.methods = new Set(asked.has("methods") ? asked.get("methods").split(";").filter((label) => label in looks) : labels);
    apply();
    if (asked.has("draw")) drawAll();
    if (asked.has("sort")) {
      const [id, column, way] = asked.get("sort").split(":");
      const table = byId(id) && byId(id).querySelector("table.sortable");
      if (table) sort(table, Number(column), way === "down" ? -1 : 1);
    }
    const target = path && byId(path);
    if (target) {
      const folded = target.closest("details");
      if (folded) folded.open = true;
      hold(target);
    }
  }
  function hold(target) {  // where it is, while what stands above it takes its place; until the reader moves
    target.scrollIntoView();
    if (!("ResizeObserver" in window)) return;
    const grown = new ResizeObserver(() => target.scrollIntoView());
    grown.observe(document.body);
    const end = () => grown.disconnect();
    setTimeout(end, 3000);
    for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) window.addEventListener(kind, end, { once: true, passive: true });
  }
  function view(id) {  // its setting and protocol; none: all of them
    const link = viewOf(id);
    state.view = link ? id : "";
    Object.assign(state, { setting: ownOf(link).setting, protocol: ownOf(link).protocol });
  }
  function write() {
    const asked = new URLSearchParams();
    const link = viewOf(state.view);
    if (link && link !== views[0]) asked.set("view", state.view);
    for (const name of ["setting", "target", "protocol", "find"]) if (state[name] !== ownOf(link)[name]) asked.set(name, state[name]);
    if (!link && views.length) asked.set("setting", state.setting);
    if (state.methods.size < labels.length) asked.set("methods", [...state.methods].join(";"));
    const path = location.hash.slice(1).split("?")[0];
    const text = asked.toString();
    history.replaceState(null, "", text || path ? `#${path}${text ? `?${text}` : ""}` : location.pathname);
    apply();
  }
  for (const name of ["setting", "target", "protocol"]) {
    byId(`filter-${name}`).addEventListener("change", (event) => {
      state[name] = event.target.value;
      if (name === "setting") state.view = (views.find((link) => link.dataset.slug === state.setting) || { dataset: {} }).dataset.view || "";
      write();
    });
  }
  byId("filter-text").addEventListener("input", (event) => { state.find = event.target.value.trim(); write(); });
  const only = (wanted) => { state.methods = new Set(wanted); write(); };
  byId("filter-methods").addEventListener("change", () => {
    only(all("#filter-methods input").filter((box) => box.checked).map((box) => box.value));
  });
  byId("methods-all").addEventListener("click", () => only(labels));
  byId("methods-none").addEventListener("click", () => only([]));
  byId("filter-reset").addEventListener("click", () => {
    view("");
    Object.assign(state, { target: "", find: "" });
    only(labels);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#filter-more")) byId("filter-more").open = false;
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    if (link.dataset.view && link.closest("#views")) {  // another setting, at the place where one is
      event.preventDefault();
      view(link.dataset.view);
      write();
      return;
    }
    const query = location.hash.split("?")[1];  // filters stay while one walks through the page
    if (query && !link.hash.includes("?")) {
      event.preventDefault();
      location.hash = `${link.hash}?${query}`;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && byId("filter-more").open) {
      const inside = byId("filter-more").contains(document.activeElement);
      byId("filter-more").open = false;
      if (inside) byId("filter-more").querySelector("summary").focus();
    }
    if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      byId("filter-text").focus();
    }
  });
  window.addEventListener("hashchange", read);
  root.classList.add("ready");
  byId("filters").hidden = false;
  read();
})();
