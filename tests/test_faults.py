"""Messages of errors: in our own words, and of bounded length."""

from __future__ import annotations

import time

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from fer_tune.errors import Fault, UserError
from fer_tune.schema import first_error


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = 1
    share: float = 0.5
    quick: bool = False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": 1}, "colour is not a known key"),
        ({"count": "many"}, "count must be a whole number"),
        ({"count": 1.5}, "count must be a whole number"),
        ({"share": "half"}, "share must be a number"),
        ({"quick": "maybe"}, "quick must be true or false"),
    ],
)
def test_rules_are_in_our_words(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Settings.model_validate(settings)
    assert first_error(caught.value)[0] == message


@pytest.mark.parametrize("value", ["x" * 100_000, ["x"] * 50_000, "a.b-" * 25_000])
def test_a_value_of_any_length_is_cut_soon(value: object) -> None:
    began = time.process_time()
    for error in (UserError("is wrong", value=value), Fault(key="k", rule="is wrong", value=value)):
        assert len(str(error)) < 400 and str(error).endswith("...)")
    assert time.process_time() - began < 2


def test_a_secret_is_not_shown_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cret-" * 20
    monkeypatch.setenv("MY_TOKEN", secret)
    shown = str(UserError("is wrong", value="x" * 250 + " " + secret))
    assert "s3cret" not in shown
