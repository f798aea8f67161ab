// The three limits: their fields, and how text becomes the number that `select` takes.

// What limits are about: how their text becomes the number that `select` takes, their unit, and what a slider spans.
const KINDS = {
  max_accuracy_drop: {
    row: "accuracy",
    places: -2,
    step: 0.01,
    unit: () => "points",
    words: "largest accuracy drop, in points",
  },
  min_accuracy: { row: "accuracy", places: -2, step: 0.01, unit: () => "%", words: "least accuracy, in percent" },
  max_relative_cost: {
    row: "cost",
    places: 0,
    step: 0.001,
    unit: (front) => front.words.unit,
    words: "largest relative cost",
  },
  max_cost: { row: "cost", places: 0, unit: (front) => front.unit, words: "largest mean cost" },
  max_sample_cost: { row: "sample", places: 0, unit: (front) => front.unit, words: "largest cost of a sample" },
};
const CLICKS = 500; // steps of a slider over costs

class LimitRow {
  constructor(root, name, front, changed) {
    this.name = name;
    this.front = front;
    this.field = (field) => root.querySelector(`[data-limit="${name}"] [data-field="${field}"]`);
    this.root = root.querySelector(`[data-limit="${name}"]`);
    [this.on, this.text, this.slider, this.kindField, this.shareField] = ["on", "text", "slider", "kind", "share"].map(
      this.field,
    );
    this.on.addEventListener("change", changed);
    this.text.addEventListener("input", () => {
      this.on.checked = true;
      changed();
    });
    this.slider.addEventListener("input", () => {
      this.text.value = this.fromSlider();
      this.on.checked = true;
      changed();
    });
    if (this.kindField)
      this.kindField.addEventListener("change", () => {
        this.reset();
        changed();
      });
    if (this.shareField)
      this.shareField.addEventListener("change", () => {
        this.reset();
        this.on.checked = true;
        changed();
      });
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

  // Why its text is no limit.
  whyNot() {
    const said = `\u201c${this.text.value}\u201d`;
    if (!Number.isFinite(this.value)) return `${said} is no number: write for example 0.5.`;
    const most = this.kind === "min_accuracy" ? "an accuracy is at most 100 %" : "a drop is below 100 points";
    return `${said} is out of range: ${most}.`;
  }

  // Least and largest figure of the points in view, in the unit of the text.
  span(region) {
    const { kind, front } = this;
    const factor = 10 ** -KINDS[kind].places;
    const figures = Array.from(figuresFor(front, kind, this.share)).filter(
      (_, i) => region === null || front.drop[i] <= region,
    );
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
    this.text.value = step
      ? (Math.round(value / step) * step).toFixed(Math.round(-Math.log10(step)))
      : inThousands(textOf(Number(value.toPrecision(4))));
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
    this.text.setAttribute("aria-invalid", String(this.on.checked && !isLimit(this.kind, this.value)));
    this.root.classList.toggle("off", !this.on.checked);
  }
}
