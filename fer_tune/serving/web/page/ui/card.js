// The model card, with what a model is for and what it must not be used for.

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function list(texts) {
  return element("ul", ...texts.map((text) => element("li", text)));
}

function table(heads, rows) {
  const columns = heads.map((title) => {
    const head = element("th", title);
    head.scope = "col";
    return head;
  });
  const first = element("tr", element("td"), ...columns);
  const lines = rows.map(([title, ...values]) => {
    const head = element("th", title);
    head.scope = "row";
    return element("tr", head, ...values.map((value) => element("td", value)));
  });
  return element("table", element("thead", first), element("tbody", ...lines));
}

const share = (value) => value.toFixed(3);

/** The cards of all models, into `place`. */
export function showCards(place, models, threshold) {
  place.replaceChildren(...models.flatMap((model) => content(model, threshold)));
}

function content({ name, precision, card }, threshold) {
  const { scores, preprocessing, classes } = card;
  return [
    element("h3", name),
    element(
      "p",
      `${card.backbone} at ${preprocessing.crop_size} × ${preprocessing.crop_size} pixels, ` +
        `${precision}. It names one of ${classes.length} expressions: ${classes.join(", ")}.`,
    ),
    element("h4", "Intended use"),
    element("p", card.intended_use),
    element("h4", "Limits: what it must not be used for"),
    list(card.limits),
    element("h4", "How good it is"),
    table(["macro-F1", "accuracy"], [
      ["validation", share(scores.validation_macro_f1), share(scores.validation_accuracy)],
      ["test", share(scores.test_macro_f1), share(scores.test_accuracy)],
      [
        "test, without leaked and conflicting pictures",
        share(scores.test_clean_macro_f1),
        share(scores.test_clean_accuracy),
      ],
    ]),
    element(
      "p",
      `Scores run from 0 to 1. Probabilities are calibrated on validation pictures (temperature ` +
        `${card.temperature.toFixed(3)}); below ${Math.round(threshold * 100)} % no expression is named.`,
    ),
  ];
}
