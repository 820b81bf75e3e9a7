"use strict";
/* A chart from columns: supernetChart(place, content, looks) gives a function that draws the series it is told to.
   content: x and y (column, title, scale, start), marks [kind, shape], series, run, panel, head, low, high, tell, columns. */
function supernetChart(place, content, looks) {
  const SVG = "http://www.w3.org/2000/svg";
  const column = (name) => {
    const found = content.columns[name];
    if (!found || Array.isArray(found)) return found;
    return found.at.map((at) => (at === null ? null : found.words[at]));
  };
  const xs = column(content.x.column);
  const ys = column(content.y.column);
  const kinds = column("kind");
  const labelled = content.series ? column(content.series) : xs.map(() => null);
  const series = labelled.map((label, row) => {  // what is of no method goes by its kind
    if (label !== null && label !== "") return label;
    return kinds && kinds[row] ? String(kinds[row]).replace(/_/g, " ") : "all";
  });
  const runs = content.run ? column(content.run) : null;
  const panels = content.panel ? column(content.panel) : null;
  const heads = content.head ? column(content.head) : null;
  const lows = content.low ? column(content.low) : null;
  const highs = content.high ? column(content.high) : null;
  const shapes = new Map(content.marks);
  const shapeOf = (row) => shapes.get(kinds ? kinds[row] : "");
  const drawable = (row) => {
    const shape = shapeOf(row);
    return shape !== undefined && ys[row] !== null && (shape === "level" || xs[row] !== null);
  };
  const spare = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const words = [...new Set(series)];
  const ownSeries = !words.some((label) => label in looks);  // the series are no methods
  const lookOf = (label) => {
    const own = looks[label];
    if (own) return { name: own[0], colour: own[1] || "currentColor", marker: own[2], dash: own[3], open: Boolean(own[5]) };
    return { name: String(label), colour: ownSeries ? spare[words.indexOf(label) % spare.length] : "currentColor", marker: "o", dash: "2 3" };
  };
  const short = (value) => {
    const size = Math.abs(value);
    for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (size >= 10 * unit || (size >= unit && unit > 1e3)) return `${+(value / unit).toPrecision(3)}${letter}`;
    }
    return String(+value.toPrecision(4)).replace("-", "\u2212");
  };
  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  };

  /* Scales: from values to pixels, with ticks. */

  const niceStep = (span, count) => {
    const rough = span / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
  };
  function scaleOf(axis, values, from, to) {
    if (axis.scale === "category") {
      const names = [...new Set(values)];
      const step = (to - from) / Math.max(1, names.length);
      const at = (value) => from + step * (names.indexOf(value) + 0.5);
      return { at, ticks: names.map((name) => [at(name), String(name)]), inside: () => true };
    }
    const known = values.filter((value) => value !== null && Number.isFinite(value));
    const floor = axis.floor || 0.1;
    const turn = axis.scale === "log" ? Math.log10
      : axis.scale === "symlog" ? (value) => Math.sign(value) * Math.log10(1 + Math.abs(value) / floor)
      : (value) => value;
    const fit = axis.scale === "log" ? known.filter((value) => value > 0) : known;
    const begin = axis.start === null || axis.start === undefined ? -Infinity : axis.start;
    const shown = fit.filter((value) => value >= begin);
    let low = Math.min(...shown);
    let high = Math.max(...shown);
    if (!shown.length) [low, high] = axis.scale === "log" ? [1, 10] : [0, 1];
    let [a, b] = [turn(low), turn(high)];
    if (a === b) [a, b] = [a - 0.5, b + 0.5];
    const margin = 0.04 * (b - a);
    [a, b] = [a - margin, b + margin];
    const at = (value) => from + ((to - from) * (turn(value) - a)) / (b - a);
    const ticks = [];
    const many = Math.max(2, Math.floor(Math.abs(to - from) / (from > to ? 32 : 70)));
    if (axis.scale === "linear") {
      const step = niceStep(b - a, many);
      for (let tick = Math.ceil(a / step) * step; tick <= b + step * 1e-9; tick += step) ticks.push(+tick.toPrecision(12));
    } else {
      if (axis.scale === "symlog") ticks.push(0);
      for (let power = -6; power < 13; power += 1) {
        for (const factor of b - a > 4 ? [1] : b - a > 1.2 ? [1, 3] : [1, 2, 5]) ticks.push(factor * 10 ** power);
      }
    }
    const within = ticks.filter((tick) => {
      const where = axis.scale === "log" && tick <= 0 ? NaN : turn(tick);
      return where >= a && where <= b && !(axis.scale === "symlog" && tick > 0 && tick < floor);
    });
    return { at, ticks: within.map((tick) => [at(tick), short(tick)]), inside: (value) => value >= begin && !(axis.scale === "log" && value <= 0) };
  }

  /* Markers, as paths around a point. */

  const polygon = (corners, radius, turn = 0, inner = 1) => {
    const points = [];
    const total = inner === 1 ? corners : 2 * corners;
    for (let at = 0; at < total; at += 1) {
      const far = radius * (at % 2 && inner !== 1 ? inner : 1);
      const angle = turn - Math.PI / 2 + (2 * Math.PI * at) / total;
      points.push(`${(far * Math.cos(angle)).toFixed(2)},${(far * Math.sin(angle)).toFixed(2)}`);
    }
    return `M${points.join("L")}Z`;
  };
  const markers = {
    s: polygon(4, 6.2, Math.PI / 4), D: polygon(4, 6), d: polygon(4, 5), "^": polygon(3, 6.2), v: polygon(3, 6.2, Math.PI),
    "<": polygon(3, 6.2, -Math.PI / 2), ">": polygon(3, 6.2, Math.PI / 2), P: polygon(4, 6.5, Math.PI / 4, 0.55), X: polygon(4, 6.8, 0, 0.5),
    p: polygon(5, 6), h: polygon(6, 6), H: polygon(6, 6, Math.PI / 6), "*": polygon(5, 7.5, 0, 0.45), o: "M-4.8,0A4.8,4.8 0 1 1 4.8,0A4.8,4.8 0 1 1 -4.8,0Z",
  };
  const mark = (parent, look, x, y, kind) => make("path", {
    d: markers[kind || look.marker] || markers.o, fill: look.open ? "var(--paper)" : look.colour,
    stroke: look.open ? look.colour : "var(--paper)", "stroke-width": look.open ? 1.6 : 1,
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
  }, parent);

  /* Where several series mark the same few places of x, they stand beside each other. */

  function dodges(rows, width) {
    const marked = rows.filter((row) => ["marker", "hollow", "star"].includes(shapeOf(row)) && xs[row] !== null);
    const at = new Map();
    for (const row of marked) at.set(xs[row], (at.get(xs[row]) || new Set()).add(series[row]));
    const most = Math.max(0, ...[...at.values()].map((names) => names.size));
    if (most < 2 || at.size > 12) return Object.assign(() => 0, { most: 0 });
    const step = Math.min(8, (0.125 * width) / most);
    return Object.assign((row) => {
      const names = [...(at.get(xs[row]) || [])];
      const place_ = names.indexOf(series[row]);
      return place_ < 0 ? 0 : (place_ - (names.length - 1) / 2) * step;
    }, { most: (step * (most - 1)) / 2 });
  }

  /* One panel */

  function panel(parent, name, rows, domain, single) {
    const width = single ? Math.min(720, Math.max(340, place.clientWidth || 720)) : 340;
    const height = single ? Math.round(170 + 0.29 * width) : 250;
    const [left, right, top, bottom] = [58, 14, 8, 44];
    const box = document.createElement("div");
    box.className = single ? "panel single" : "panel";
    if (name !== null) {
      const title = document.createElement("p");
      title.textContent = lookOf(name).name;
      box.append(title);
      const told = heads && rows.map((row) => heads[row]).find((words) => words !== null && words !== "");
      if (told) {
        const small = document.createElement("small");
        small.textContent = told;
        title.append(" ", small);
      }
    }
    parent.append(box);
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0 }, box);
    svg.setAttribute("aria-label", `${name === null ? "Chart" : lookOf(name).name}: ${content.y.title} against ${content.x.title}, ${rows.length} values; arrow keys walk through them`);
    const aside = dodges(rows, width);
    const x = scaleOf(content.x, domain.map((row) => xs[row]), left + aside.most, width - right - aside.most);
    const spread = domain.flatMap((row) => [ys[row], lows ? lows[row] : null, highs ? highs[row] : null]);
    const y = scaleOf(content.y, spread, height - bottom, top);
    for (const [at, text] of y.ticks) {
      make("path", { class: "grid", d: `M${left},${at.toFixed(1)}H${width - right}` }, svg);
      make("text", { class: "tick y", x: left - 6, y: at + 4 }, svg, text);
    }
    for (const [at, text] of x.ticks) {
      make("path", { class: "grid", d: `M${at.toFixed(1)},${top}V${height - bottom}` }, svg);
      make("text", { class: "tick", x: at, y: height - bottom + 16 }, svg, text);
    }
    make("text", { class: "tick", x: (left + width - right) / 2, y: height - 8 }, svg, content.x.title);
    make("text", { class: "tick", transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)` }, svg, content.y.title);
    const points = [];
    const groups = new Map();
    for (const row of rows) {
      const shape = shapeOf(row);
      const [vx, vy] = [xs[row], ys[row]];
      if (shape === undefined || vy === null || !y.inside(vy)) continue;
      if (shape !== "level" && (vx === null || !x.inside(vx))) continue;
      const px = shape === "level" ? null : x.at(vx) + (["marker", "hollow", "star", "dots"].includes(shape) ? aside(row) : 0);
      const point = [px, y.at(vy), row];
      points.push(point);
      const key = JSON.stringify([series[row], shape, shape === "dots" || !runs ? 0 : runs[row]]);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(point);
    }
    const order = ["level", "thin", "thin steps", "dots", "trend", "steps", "line", "hollow", "marker", "star"];
    const sorted = [...groups].map(([key, group]) => [JSON.parse(key), group]);
    sorted.sort(([a], [b]) => order.indexOf(a[1]) - order.indexOf(b[1]));
    for (const [[label, shape, run], group] of sorted) {
      const look = lookOf(label);
      if (shape === "level") {
        for (const [, py] of group) make("path", { d: `M${left},${py.toFixed(1)}H${width - right}`, stroke: look.colour, "stroke-dasharray": look.dash || "none", "stroke-width": 1.3, fill: "none" }, svg);
      } else if (shape === "dots") {
        const size = group.length > 300 ? 2.4 : group.length > 60 ? 3.4 : 5;
        make("path", { d: group.map(([px, py]) => `M${px.toFixed(1)},${py.toFixed(1)}h.01`).join(""), stroke: look.colour, "stroke-width": size, "stroke-linecap": "round", "stroke-opacity": group.length > 60 ? 0.5 : 0.85, fill: "none" }, svg);
      } else if (["marker", "hollow", "star"].includes(shape)) {
        const inside = (value) => Math.min(height - bottom, Math.max(top, y.at(value))).toFixed(1);
        for (const [px, py, row] of group) {
          if (lows && highs && lows[row] !== null && highs[row] !== null) {
            make("path", { d: `M${px.toFixed(1)},${inside(lows[row])}V${inside(highs[row])}`, stroke: look.colour, "stroke-width": 1.6 }, svg);
          }
          mark(svg, shape === "star" ? { ...look, colour: "var(--ink)" } : { ...look, open: look.open || shape === "hollow" }, px, py, shape === "star" ? "*" : "");
        }
      } else {
        const path = [...group].sort((a, b) => a[0] - b[0]);
        const steps = shape.includes("steps");
        const thin = shape.includes("thin") || (run !== null && groups.has(JSON.stringify([label, shape, null])));
        const d = path.map(([px, py], at) => `${at ? (steps ? `H${px.toFixed(1)}V` : "L") : "M"}${at && steps ? "" : `${px.toFixed(1)},`}${py.toFixed(1)}`).join("");
        make("path", { d, fill: "none", stroke: look.colour, "stroke-width": thin ? 0.8 : 2, "stroke-opacity": thin ? 0.45 : 1, "stroke-dasharray": thin ? "none" : look.dash || "none", ...(shape === "trend" ? { stroke: "var(--ink)", "stroke-width": 1, "stroke-dasharray": "none" } : {}) }, svg);
      }
    }
    listen(box, svg, points, width);
  }

  /* Values under the pointer, or at the arrow keys. */

  function said(row) {
    const parts = [lookOf(series[row]).name];
    if (runs && runs[row] !== null) parts.push(`${content.run} ${runs[row]}`);
    if (xs[row] !== null) parts.push(`${content.x.title}: ${typeof xs[row] === "number" ? xs[row].toLocaleString("en") : xs[row]}`);
    let value = typeof ys[row] === "number" ? ys[row].toLocaleString("en", { maximumSignificantDigits: 6 }) : ys[row];
    if (lows && lows[row] !== null && highs[row] !== null) value += ` [${+lows[row].toPrecision(4)}, ${+highs[row].toPrecision(4)}]`;
    parts.push(`${content.y.title}: ${value}`);
    for (const name of content.tell) {
      const told = column(name)[row];
      if (told !== null) parts.push(`${name}: ${told}`);
    }
    if (kinds && kinds[row]) parts.push(kinds[row].replace(/_/g, " "));
    return parts.join("; ");
  }
  function listen(box, svg, points, width) {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-live", "polite");
    box.append(tip);
    const ring = make("circle", { class: "ring", r: 7, visibility: "hidden" }, svg);
    const middle = width / 2;
    const walk = [...points].sort((a, b) => (a[0] ?? middle) - (b[0] ?? middle) || a[2] - b[2]);
    let at = -1;
    const show = (point, x) => {
      const px = point[0] ?? x ?? middle;
      ring.setAttribute("cx", px);
      ring.setAttribute("cy", point[1]);
      ring.setAttribute("visibility", "visible");
      tip.textContent = said(point[2]);
      tip.hidden = false;
      const ratio = svg.clientWidth / width || 1;
      const room = box.clientWidth - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(room, px * ratio + 10))}px`;
      tip.style.top = `${svg.offsetTop + point[1] * ratio + 12}px`;
    };
    const hide = () => { tip.hidden = true; ring.setAttribute("visibility", "hidden"); };
    svg.addEventListener("pointermove", (event) => {
      const frame = svg.getBoundingClientRect();
      const ratio = width / frame.width;
      const [x, y] = [(event.clientX - frame.left) * ratio, (event.clientY - frame.top) * ratio];
      let best = null;
      let least = 28 ** 2;
      for (const point of points) {
        const away = (point[0] === null ? 9 : (point[0] - x) ** 2) + (point[1] - y) ** 2;
        if (away < least) [best, least] = [point, away];
      }
      if (best) show(best, x); else hide();
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!step || !walk.length) return;
      event.preventDefault();
      at = (at + step + walk.length) % walk.length;
      show(walk[at]);
    });
  }

  function legend(parent, labels) {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const label of labels) {
      const look = lookOf(label);
      const entry = document.createElement("li");
      const svg = make("svg", { viewBox: "0 0 30 14", "aria-hidden": "true" });
      make("path", { d: "M0,7H30", stroke: look.colour, "stroke-dasharray": look.dash || "none", "stroke-width": 1.6 }, svg);
      mark(svg, look, 15, 7);
      entry.append(svg, look.name);
      list.append(entry);
    }
    parent.append(list);
  }

  return (accepts) => {
    place.replaceChildren();
    const rows = series.map((_, row) => row).filter((row) => accepts(series[row]) && drawable(row));
    if (!rows.length) {
      const empty = document.createElement("p");
      empty.textContent = "No method that the filters leave is in this figure.";
      place.append(empty);
      return;
    }
    const holder = document.createElement("div");
    holder.className = "panels";
    place.append(holder);
    if (!panels) {
      panel(holder, null, rows, rows, true);
      legend(place, [...new Set(rows.map((row) => series[row]))]);
      return;
    }
    const names = [...new Set(rows.map((row) => panels[row]))].filter((name) => name !== null && name !== "");
    const shared = rows.filter((row) => !names.includes(panels[row]));
    for (const name of names) panel(holder, name, [...shared, ...rows.filter((row) => panels[row] === name)], rows, false);
    if (content.panel !== content.series) legend(place, [...new Set(rows.map((row) => series[row]))]);
  };
}
