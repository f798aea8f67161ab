// The controls: limits in, a point out. Everything that is shown follows from `state`.

// What limits are about: how their text becomes the number that `select` takes, their unit, and what a slider spans.
const KINDS = {
  max_accuracy_drop: { row: "accuracy", places: -2, step: 0.01, unit: () => "points", words: "largest accuracy drop, in points" },
  min_accuracy: { row: "accuracy", places: -2, step: 0.01, unit: () => "%", words: "least accuracy, in percent" },
  max_relative_cost: { row: "cost", places: 0, step: 0.001, unit: () => "of the whole", words: "largest relative cost" },
  max_cost: { row: "cost", places: 0, unit: (front) => front.unit, words: "largest mean cost" },
  max_sample_cost: { row: "sample", places: 0, unit: (front) => front.unit, words: "largest cost of a sample" },
};
const CLICKS = 500; // steps of a slider over costs
const REGIONS = [0.01, 0.02, 0.05, 0.1, 0.2];

class LimitRow {
  constructor(root, name, front, changed) {
    this.name = name;
    this.front = front;
    this.field = (field) => root.querySelector(`[data-limit="${name}"] [data-field="${field}"]`);
    this.root = root.querySelector(`[data-limit="${name}"]`);
    [this.on, this.text, this.slider, this.kindField, this.shareField] = ["on", "text", "slider", "kind", "share"].map(this.field);
    this.on.addEventListener("change", changed);
    this.text.addEventListener("input", () => { this.on.checked = true; changed(); });
    this.slider.addEventListener("input", () => { this.text.value = this.fromSlider(); this.on.checked = true; changed(); });
    if (this.kindField) this.kindField.addEventListener("change", () => { this.reset(); changed(); });
    if (this.shareField) this.shareField.addEventListener("change", () => { this.reset(); this.on.checked = true; changed(); });
  }

  get kind() {
    return this.kindField ? this.kindField.value : "max_sample_cost";
  }

  get share() {
    return this.shareField ? Number(this.shareField.value) : 0.01;
  }

  get value() {
    return numberIn(this.text.value, KINDS[this.kind].places);
  }

  // Least and largest figure of the points in view, in the unit of the text.
  span(region) {
    const { kind, front } = this;
    const factor = 10 ** -KINDS[kind].places;
    const figures = Array.from(figuresFor(front, kind, this.share)).filter((_, i) => region === null || front.drop[i] <= region);
    if (!figures.length) return [0, 1];
    return [factor * figures.reduce((a, b) => Math.min(a, b)), factor * figures.reduce((a, b) => Math.max(a, b))];
  }

  fromSlider() {
    const { step } = KINDS[this.kind];
    const at = Number(this.slider.value);
    if (step) return at.toFixed(Math.round(-Math.log10(step)));
    const [low, high] = this.ends;
    return inThousands(textOf(Number((low + ((high - low) * at) / CLICKS).toPrecision(4))));
  }

  // Takes a number, in the unit of the text, to the nearest that the slider can say.
  near(value) {
    const { step } = KINDS[this.kind];
    this.text.value = step ? (Math.round(value / step) * step).toFixed(Math.round(-Math.log10(step))) : inThousands(textOf(Number(value.toPrecision(4))));
  }

  // Takes a number that `select` takes, exactly.
  exactly(limit) {
    this.text.value = textOf(limit, -KINDS[this.kind].places);
  }

  // Takes the shortest number that the figure of a point keeps and for which `serves` holds; else the figure itself.
  shortly(figure, serves) {
    const { places } = KINDS[this.kind];
    const size = figure * 10 ** -places;
    const up = this.front.data.limits[this.kind].is_most ? Math.ceil : Math.floor;
    const from = Math.max(0, 3 - Math.ceil(Math.log10(Math.abs(size) || 1)));
    for (let digits = from; digits < from + 8; digits += 1) {
      this.text.value = textOf(Number(`${up(size * 10 ** digits)}e-${digits}`));
      if (serves()) return;
    }
    this.exactly(figure);
  }

  // Begins anew with the most that any point needs.
  reset() {
    const [low, high] = this.span(null);
    this.near(this.front.data.limits[this.kind].is_most ? high : low);
  }

  show(region) {
    const kind = KINDS[this.kind];
    const [low, high] = this.span(region);
    this.ends = [low, high];
    const { step } = kind;
    this.slider.min = step ? Math.floor(low / step) * step : 0;
    this.slider.max = step ? Math.ceil(high / step) * step : CLICKS;
    this.slider.step = step || 1;
    const value = numberIn(this.text.value);
    if (Number.isFinite(value)) this.slider.value = step ? value : (CLICKS * (value - low)) / (high - low || 1);
    this.field("unit").textContent = kind.unit(this.front);
    this.text.setAttribute("aria-label", `limit: ${kind.words}`);
    this.slider.setAttribute("aria-label", `${kind.words}, slider`);
    this.slider.setAttribute("aria-valuetext", `${this.text.value} ${kind.unit(this.front)}`);
    this.text.setAttribute("aria-invalid", String(this.on.checked && !Number.isFinite(this.value)));
    this.root.classList.toggle("off", !this.on.checked);
  }
}

class Explorer {
  constructor(root, front) {
    this.root = root;
    this.front = front;
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.act = (name) => root.querySelector(`[data-act="${name}"]`);
    const { drop_limit: region } = front.data.start;
    this.state = { picked: null, pins: [null, null], view: { x: "relative", y: "drop", region, hidden: new Set() } };
    root.hidden = false;
    this.words();
    this.rows = {};
    ["accuracy", "cost", "sample"].forEach((name) => { this.rows[name] = new LimitRow(root, name, front, () => this.changed()); });
    this.begin();
    this.chart = new Chart(this.part("chart"), front, {
      dragged: (which, value) => this.dragged(which, value),
      picked: (i) => this.show(i),
    });
    this.viewControls();
    this.actions();
    new ResizeObserver(() => this.chart.width !== Math.max(280, Math.floor(this.chart.place.clientWidth)) && this.redraw()).observe(this.chart.place);
    this.redraw();
    if (front.data.start.at_certified) this.show(front.certified);
  }

  // What stays as it is.
  words() {
    const { data } = this.front;
    const { layout } = data;
    this.part("about").textContent = `${say.count(this.front.length)} configurations found by ${data.solver} on ${say.count(data.n_samples)} samples: ${layout.names.length - 1} exits at ${this.front.positions} positions. The whole network costs ${say.cost(this.front.baseline.cost, this.front.unit)} a sample and has an accuracy of ${say.percent(this.front.baseline.accuracy)}.`;
    const { held } = this.front;
    if (held && held.is_searched) {
      this.part("alert").hidden = false;
      this.part("alert").textContent = "The figures are optimistic: the configurations were measured on the samples that they were searched on. Other samples of the same network give honest ones.";
    }
    if (data.certificate) {
      this.part("certificate").hidden = false;
      this.part("certificate").querySelector("pre").textContent = data.certificate.lines.join("\n");
      this.act("certified").hidden = false;
    }
    this.part("meaning").textContent = meaningOf(this.front);
    if (!held) this.bare();
    this.part("groups-card").hidden = !(held && held.groups);
    this.root.querySelector('[data-limit="sample"]').hidden = !this.front.tail;
  }

  // Without held-out samples nobody knows who leaves where: the exits take that place.
  bare() {
    const card = this.part("leaving");
    this.part("exits").parentElement.hidden = true;
    card.querySelector("h2").textContent = "Exits in use";
    card.querySelector(".key").hidden = true;
    card.append(this.part("exits"));
  }

  // The limits to begin with: the drop that was asked for, or the least that there is.
  begin() {
    const { front, rows } = this;
    const share = rows.sample.shareField;
    front.data.shares.forEach((value) => share.append(html("option", { value }, value ? `${say.significant(100 * value)} %` : "none")));
    share.value = "0.01";
    rows.cost.reset();
    if (front.tail) rows.sample.reset();
    const asked = front.data.start.max_accuracy_drop;
    const best = front.drop.reduce((a, b) => Math.min(a, b));
    rows.accuracy.exactly(best <= asked ? asked : Math.ceil(1e4 * best) / 1e4);
  }

  viewControls() {
    const { view } = this.state;
    const choice = (name) => this.root.querySelector(`[data-view="${name}"]`);
    const regions = [...new Set([...REGIONS, view.region])].sort((a, b) => a - b);
    regions.forEach((region) => choice("region").append(html("option", { value: region }, `${say.significant(100 * region)} ${region === 0.01 ? "point" : "points"}`)));
    choice("region").append(html("option", { value: "all" }, "any"));
    choice("region").value = String(view.region);
    ["x", "y", "region"].forEach((name) => choice(name).addEventListener("change", (event) => {
      const { value } = event.target;
      view[name] = name !== "region" ? value : value === "all" ? null : Number(value);
      this.redraw();
    }));
    this.chart.layers.forEach(({ key, name, look, kind, dashed }) => {
      const box = html("input", { type: "checkbox", checked: "" });
      box.addEventListener("change", () => { view.hidden[box.checked ? "delete" : "add"](key); this.redraw(); });
      const sample = svg("svg", { width: 26, height: 16, "aria-hidden": "true" }, kind === "stairs" || kind === "line"
        ? svg("path", { d: "M1 8H25", class: `curve ${kind} look-${look}${dashed ? " dashed" : ""}` })
        : svg("path", { d: markAt(kind, 13, 8), class: `mark ${kind} look-${look}` }));
      this.part("layers").append(html("label", {}, box, sample, html("span", {}, name)));
    });
  }

  actions() {
    const { state } = this;
    const on = (name, act) => this.act(name).addEventListener("click", act);
    on("cheaper", () => this.step(-1));
    on("dearer", () => this.step(1));
    on("certified", () => this.show(this.front.certified));
    on("pin", () => {
      const free = state.pins.indexOf(null);
      state.pins[free < 0 ? 1 : free] = this.index;
      this.changed(state.picked);
    });
    on("theme", () => { document.documentElement.dataset.theme = this.isDark() ? "light" : "dark"; this.themeWord(); });
    on("copy-config", () => this.copy(this.part("config").value, "config.json copied"));
    on("copy-line", () => this.copy(this.part("python").textContent, "line copied"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.themeWord());
    this.themeWord();
  }

  isDark() {
    const { theme } = document.documentElement.dataset;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  themeWord() {
    this.act("theme").textContent = this.isDark() ? "Light colours" : "Dark colours";
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = html("textarea", {}, text); // where a page from disk may not use the clipboard
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    this.part("copied").textContent = done;
    setTimeout(() => { this.part("copied").textContent = ""; }, 2500);
  }

  // The limits that are on, as `select` takes them.
  asked() {
    return Object.fromEntries(Object.values(this.rows).filter((row) => row.on.checked && !row.root.hidden).map((row) => [row.kind, row.value]));
  }

  chosen() {
    return select(this.front, this.asked(), this.rows.sample.share);
  }

  // Sets the limits so that they give a point: with the others as they are, or else off; else the point by its place.
  show(i) {
    const { accuracy, cost, sample } = this.rows;
    const row = accuracy.on.checked || !cost.on.checked ? accuracy : cost;
    row.on.checked = true;
    const figure = figuresFor(this.front, row.kind, row.share)[i];
    row.exactly(figure);
    if (this.chosen() !== i) [accuracy, cost, sample].forEach((other) => { if (other !== row) other.on.checked = false; });
    row.shortly(figure, () => this.chosen() === i);
    this.changed(this.chosen() === i ? null : i);
  }

  // The next point that is cheaper, or more accurate.
  step(way) {
    const { drop, relative } = this.front;
    const now = this.index;
    if (now === null) return;
    const next = way < 0
      ? least(drop, (i) => relative[i] < relative[now])
      : least(relative, (i) => relative[i] > relative[now] && drop[i] < drop[now] - 2e-12);
    if (next !== null) this.show(next);
  }

  dragged(which, value) {
    const { accuracy, cost } = this.rows;
    const row = which === "up" ? accuracy : cost;
    if (which === "up") {
      const drops = this.state.view.y === "drop";
      const same = drops === (row.kind === "max_accuracy_drop");
      row.near(same ? value : 100 * this.front.baseline.accuracy - value);
    } else {
      row.near(row.kind === "max_cost" ? value * this.front.baseline.cost : value);
    }
    this.changed();
  }

  // Where limits stand in the picture.
  lines() {
    const { accuracy, cost } = this.rows;
    const base = this.front.baseline;
    const lines = { up: null, relative: null };
    if (accuracy.on.checked && Number.isFinite(accuracy.value)) {
      const drop = accuracy.kind === "max_accuracy_drop" ? accuracy.value : base.accuracy - accuracy.value;
      lines.up = this.chart.up(drop, base.accuracy - drop);
    }
    if (cost.on.checked && Number.isFinite(cost.value)) lines.relative = cost.kind === "max_cost" ? cost.value / base.cost : cost.value;
    return lines;
  }

  redraw() {
    this.chart.draw(this.state.view);
    this.changed(this.state.picked);
    const words = { relative: "relative cost", cost: "cost", saved: "saved share" };
    const { x, y } = this.state.view;
    this.chart.root.setAttribute("aria-label", `${y === "drop" ? "Accuracy drop" : "Accuracy"} against ${words[x]}: ${this.chart.layers.map(({ name }) => name).join(", ")}. The limits beside it choose a point.`);
  }

  // Limits have changed, or a point was taken by its place: everything follows.
  changed(picked = null) {
    const { front, state } = this;
    const chosen = this.chosen();
    state.picked = picked;
    this.index = picked ?? chosen;
    this.root.dataset.index = this.index ?? "";
    Object.values(this.rows).forEach((row) => !row.root.hidden && row.show(row === this.rows.accuracy ? state.view.region : null));
    this.chart.mark({ limits: this.lines(), index: this.index, pins: state.pins });
    const words = this.index === null ? this.whyNone() : inWords(front, this.index);
    this.part("headline").textContent = words;
    this.part("headline").classList.toggle("none", this.index === null);
    clearTimeout(this.later);
    this.later = setTimeout(() => { this.part("spoken").textContent = words; }, 400);
    this.panels();
    const pinned = `${state.pins} ${this.chart.width}`;
    if (this.pinned !== pinned) this.showPins();
    this.pinned = pinned;
  }

  whyNone() {
    const asked = this.asked();
    const wrong = Object.values(this.rows).find((row) => row.on.checked && !row.root.hidden && !Number.isFinite(row.value));
    if (wrong) return `\u201c${wrong.text.value}\u201d is no number: write for example 0.5.`;
    if (!Object.keys(asked).length) return "No limit is set: tick one of the three.";
    const { drop, relative } = this.front;
    const [best, cheap] = [least(drop, () => true), least(relative, () => true)];
    return `No point of this front is within these limits. The most accurate has drop ${say.points(drop[best])} at relative cost ${say.relative(relative[best])}, the cheapest ${say.points(drop[cheap])} at ${say.relative(relative[cheap])}.`;
  }

  panels() {
    const { front, index } = this;
    const none = index === null;
    ["figures", "bars", "exits", "groups"].forEach((name) => this.part(name).replaceChildren());
    this.part("gap").textContent = none ? "" : gapInWords(front, index);
    ["pin", "cheaper", "dearer", "copy-config", "copy-line"].forEach((name) => { this.act(name).disabled = none; });
    this.root.querySelector(".take").classList.toggle("none", none);
    if (none) {
      this.part("config").value = "";
      this.part("python").textContent = "";
      this.part("download").removeAttribute("href");
      return;
    }
    this.part("figures").append(figuresTable(front, index));
    this.part("exits").append(exitsTable(front, index));
    if (front.held) this.part("bars").append(barsOf(front, index, Math.max(260, Math.floor(this.part("bars").clientWidth))));
    if (front.held && front.held.groups) {
      this.part("groups").append(groupsPanel(front, index));
      const { groups } = front.held;
      this.part("groups-words").textContent = `The ${groups.by === "label" ? "classes" : "groups"} that lose most at this point, of ${say.count(groups.names.length)}; all together ${say.gap(front.held.drop[index])}.`;
    }
    const text = `${laidOut(configuration(front, index))}\n`;
    this.part("config").value = text;
    this.part("download").href = `data:application/json;charset=utf-8,${encodeURIComponent(text)}`;
    this.part("python").textContent = pythonLine(this.state.picked === null ? this.asked() : null, this.rows.sample.share, index);
  }

  showPins() {
    const { front, state } = this;
    const place = this.part("pins");
    place.replaceChildren(...pinsPanel(front, state.pins, {
      show: (i) => this.show(i),
      drop: (k) => { state.pins[k] = null; this.changed(state.picked); this.act("pin").focus(); },
    }));
    fillPins(front, place);
  }
}

const place = document.querySelector(".explorer");
document.documentElement.classList.add("explorer-runs");
new Explorer(place, readFront(JSON.parse(document.getElementById("explorer-data").textContent)));
