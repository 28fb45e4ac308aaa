// The expression that each model names, and a bar for each of its classes.

import { judged } from "../lib/recogniser.js";

const percent = (value) => `${Math.round(value * 100)} %`;

function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

export class Models {
  constructor(place, models, threshold) {
    this.models = models;
    this.threshold = threshold;
    document.body.classList.toggle("pair", models.length > 1);
    this.parts = models.map((model) => panel(model));
    place.replaceChildren(...this.parts.map((part) => part.section));
    this.clear("Nothing to see yet", "");
  }

  /** Shows a state without an expression. */
  clear(text, detail) {
    for (const part of this.parts) {
      verdict(part, text, detail, true);
      for (const row of part.rows) fill(row, null, false);
    }
  }

  /** Shows the rows of a face, one per model; returns what is read aloud. */
  show(rows, detail) {
    return rows
      .map((row, place) => {
        const { name, classes } = this.models[place];
        const part = this.parts[place];
        const found = judged(row, classes, this.threshold);
        if (found.uncertain) {
          verdict(part, "Uncertain", `at most ${percent(found.probability)}${detail}`, true);
        } else {
          verdict(part, found.expression, `${percent(found.probability)}${detail}`, false);
        }
        part.rows.forEach((parts, at) => fill(parts, row[at], classes[at] === found.expression));
        const heard = found.uncertain ? "uncertain" : found.expression;
        return this.models.length > 1 ? `${name}: ${heard}` : heard;
      })
      .join(", ");
  }
}

function panel({ name, classes }) {
  const section = element("section", "", "model");
  const heading = element("h2", name);
  const said = element("p", "", "verdict");
  const table = element("table", "", "bars");
  table.append(element("caption", `Probabilities of ${name}`, "unseen"));
  const body = element("tbody");
  const rows = classes.map((label) => {
    const line = element("tr");
    const number = element("td", "–", "number");
    const cell = element("td", "", "bar");
    const track = element("div", "", "track");
    const bar = element("div", "", "fill");
    cell.setAttribute("aria-hidden", "true");
    const title = element("th", label);
    title.scope = "row";
    track.append(bar);
    cell.append(track);
    line.append(title, number, cell);
    body.append(line);
    return { line, number, bar };
  });
  table.append(body);
  section.append(heading, said, table);
  return { section, said, rows };
}

function verdict({ said }, text, detail, isUnsure) {
  const small = element("small", detail || "\u00a0");
  said.replaceChildren(text, small);
  said.classList.toggle("unsure", isUnsure);
}

function fill({ line, number, bar }, value, isBest) {
  number.textContent = value === null ? "–" : percent(value);
  number.dataset.value = value === null ? "" : String(value);
  bar.style.width = value === null ? "0" : `${value * 100}%`;
  line.classList.toggle("best", isBest);
}
