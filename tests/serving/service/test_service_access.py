"""The token of a service: where it comes from, and where it is needed."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from fer_tune.errors import EnvironmentFault, UserError
from fer_tune.serving.service import access
from fer_tune.serving.service.access import check_open, is_loopback, is_right, service_token
from tests.serving.service.fakes import TOKEN


def written(folder: Path, content: str, mode: int = 0o600) -> Path:
    file = folder / "token"
    file.write_text(content)
    file.chmod(mode)
    return file


def test_a_file_goes_before_the_environment(tmp_path: Path) -> None:
    environment = {"FER_TUNE_TOKEN": "e" * 16}
    assert service_token(written(tmp_path, f"{TOKEN}\n"), environment) == TOKEN
    assert service_token(None, environment) == "e" * 16
    assert service_token(None, {"FER_TUNE_TOKEN": " "}) is service_token(None, {}) is None


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (TOKEN, 0o644, "other users can read this token"),
        ("short", 0o600, "at least 16 characters"),
        ("", 0o600, "at least 16 characters"),
        ("a token of words", 0o600, "printable ASCII"),
        ("é" * 20, 0o600, "printable ASCII"),
    ],
)
def test_an_unsafe_token_is_refused(tmp_path: Path, content: str, mode: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        service_token(written(tmp_path, content, mode), {})
    assert not content or content not in str(caught.value)


def test_a_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        service_token(tmp_path / "none", {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_addresses_than_loopback_need_a_token(host: str) -> None:
    with pytest.raises(EnvironmentFault, match="needs a token"):
        check_open(host, None)
    check_open(host, TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_loopback_needs_none(host: str) -> None:
    assert is_loopback(host)
    check_open(host, None)


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, original = [], hmac.compare_digest

    def noting(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return original(first, second)

    monkeypatch.setattr(access.hmac, "compare_digest", noting)
    assert is_right(TOKEN, f"Bearer {TOKEN}") and is_right(TOKEN, f"bearer {TOKEN}")
    assert not any(is_right(TOKEN, given) for given in (None, "", "Bearer x", f"Token {TOKEN}"))
    assert len(compared) == 6
