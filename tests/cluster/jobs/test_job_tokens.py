"""Which servers get the token of Ray: those that ask, other machines only with `--send-token`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from job_command_line import ID, fer_tune
from job_server import Script, serving


def elsewhere(server: Script) -> str:
    """The server's address in a form that does not pass for this machine's."""
    return server.address.replace("127.0.0.1", "127.1")


def test_a_token_is_not_sent_to_a_server_that_does_not_ask(tmp_path: Path) -> None:
    with serving(Script()) as server:
        for address in (server.address, elsewhere(server)):
            words = ("status", "--address", address, "--send-token")
            code, out, _ = fer_tune(tmp_path, *words, RAY_AUTH_TOKEN="abc")
            assert code == 0 and ID in out
    assert server.authorizations and set(server.authorizations) == {None}


def test_this_machine_gets_the_token_when_it_asks(tmp_path: Path) -> None:
    with serving(Script(token="abc")) as server:
        _, out, err = fer_tune(
            tmp_path, "status", "--address", server.address, RAY_AUTH_TOKEN="abc"
        )
    assert ID in out and "unencrypted" not in err
    assert server.authorizations[:2] == [None, "Bearer abc"]


class Ingress(Script):
    """Behind a proxy that answers 403 to whoever sends no token."""

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization")
        self.authorizations.append(given)
        if given != f"Bearer {self.token}":
            return web.Response(status=403)
        response: web.StreamResponse = await handler(request)
        return response


def test_a_server_that_forbids_access_without_a_token_gets_it(tmp_path: Path) -> None:
    with serving(Ingress(token="abc")) as server:
        words = ("status", "--address", server.address)
        code, out, err = fer_tune(tmp_path, *words, RAY_AUTH_TOKEN="abc")
        assert code == 0 and ID in out, err
        code, _, err = fer_tune(tmp_path, *words)
        assert code == 2 and "denies access without a token, and none was found" in err
        words = ("status", "--address", elsewhere(server))
        code, _, err = fer_tune(tmp_path, *words, RAY_AUTH_TOKEN="abc")
        assert code == 2 and "add --send-token" in err
    assert server.authorizations[:2] == [None, "Bearer abc"]


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("logs", ID),
        ("stop", ID),
        ("fetch", ID),
        ("submit", "quickstart", "--data", "/srv/faces"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("source", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "home"])
def test_another_machine_gets_no_token_unless_allowed(
    tmp_path: Path, words: tuple[str, ...], source: str
) -> None:
    file = tmp_path / (".ray/auth_token" if source == "home" else "token")
    file.parent.mkdir(exist_ok=True)
    file.write_text("abc")
    named = {"RAY_AUTH_TOKEN": "abc", "RAY_AUTH_TOKEN_PATH": str(file)}
    environment = {source: named[source]} if source in named else {}
    with serving(Script(token="abc")) as server:
        address = elsewhere(server)
        code, out, err = fer_tune(tmp_path, *words, "--address", address, **environment)
        by_variable = fer_tune(tmp_path, *words, RAY_API_SERVER_ADDRESS=address, **environment)
    assert (code, out) == (2, "") and "add --send-token" in err and address in err
    assert by_variable[0] == 2
    assert server.authorizations and set(server.authorizations) == {None}


def test_an_allowed_token_in_the_clear_is_warned_of_before_it_is_sent(tmp_path: Path) -> None:
    with serving(Script(token="abc")) as server:
        words = ("status", "--address", elsewhere(server), "--send-token")
        _, out, err = fer_tune(tmp_path, *words, RAY_AUTH_TOKEN="abc")
        assert ID in out and "unencrypted" in err
        _, _, err = fer_tune(tmp_path, *words, RAY_AUTH_TOKEN="no")
        assert "unencrypted" in err.partition("rejects the token")[0], "before it is sent"
