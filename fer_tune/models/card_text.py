"""The model card as Markdown."""

from __future__ import annotations

import time

from fer_tune.escaping import markdown
from fer_tune.models.card import ArmScores, Card


def card_markdown(card: Card) -> str:
    """``card.md``: what the model is, how good it is, and what it is not for."""
    scores, prepared = card.scores, card.preprocessing
    sections = [
        f"# {markdown(card.arm)}: facial expressions",
        f"{markdown(card.backbone)} at {prepared.crop_size}×{prepared.crop_size} px, which names "
        f"one of {len(card.classes)} expressions: {', '.join(map(markdown, card.classes))}.",
        "## Scores",
        _table(
            ("", "macro-F1", "accuracy"),
            ("validation", scores.validation_macro_f1, scores.validation_accuracy),
            ("test", scores.test_macro_f1, scores.test_accuracy),
            (
                "test, without leaked and conflicting pictures",
                scores.test_clean_macro_f1,
                scores.test_clean_accuracy,
            ),
        ),
        f"{_arm(card.arm_scores)}This model was kept because its validation score was the best "
        "of the arm's confirmation runs; test scores played no part in the choice.",
        "## Use",
        f"```sh\nfer-tune predict FOLDER PICTURES\n```\n\n"
        f"Input: {_input(card)}. Probabilities are calibrated: logits are divided by the "
        f"temperature {card.temperature:.3f}, fitted on the validation pictures.",
        "## Intended use",
        markdown(card.intended_use),
        "## Limits",
        "\n".join(f"- {markdown(limit)}" for limit in card.limits),
        "## Origin",
        _table(("", ""), *_origin(card)),
    ]
    return "\n\n".join(sections) + "\n"


def _arm(arm: ArmScores | None) -> str:
    if arm is None:
        return ""
    interval = ""
    if arm.low is not None and arm.high is not None:
        interval = f" (95 % interval {arm.low:.4f} to {arm.high:.4f})"
    return f"The arm's mean test macro-F1 is {arm.mean:.4f}{interval}, over {arm.n} {arm.unit}. "


def _input(card: Card) -> str:
    prepared = card.preprocessing
    colour = "grey" if prepared.channels == 1 else "colour"
    side = prepared.resized_side
    return (
        f"one face, {colour}, resized to {side}×{side} px, of which the centre of "
        f"{prepared.crop_size}×{prepared.crop_size} px is used"
    )


def _origin(card: Card) -> list[tuple[object, object]]:
    rows: list[tuple[object, object]] = []
    if card.search is not None:
        rows += [("search", card.search.name), ("results", card.search.results)]
    trained = " (trained again to keep the model)" if card.retrained else ""
    rows += [
        ("trial", "–" if card.trial is None else card.trial),
        ("confirmation run", f"{card.run}, replicate {card.replicate}, seed {card.seed}{trained}"),
        ("best epoch", card.epoch),
        ("unfrozen stages", card.unfreeze_depth),
        ("initial weights", card.weights.recipe),
        ("arithmetic", card.precision),
        ("dataset", card.dataset.fingerprint[:12]),
        ("model.safetensors", f"SHA-256 {card.sha256}"),
        ("created", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(card.created))),
        ("versions", ", ".join(f"{name} {number}" for name, number in card.versions.items())),
    ]
    return rows


def _table(head: tuple[object, ...], *rows: tuple[object, ...]) -> str:
    lines = [_row(head), "|---" * len(head) + "|", *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: tuple[object, ...]) -> str:
    shown = (f"{cell:.4f}" if isinstance(cell, float) else markdown(str(cell)) for cell in cells)
    return f"| {' | '.join(shown)} |"
