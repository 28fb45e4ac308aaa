"""No URL shows its credentials, however it is written."""

from __future__ import annotations

import itertools
import os

import pytest

from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath, any_path, secrets, without_secrets
from fer_tune.storage.urls import Address

#: Secrets in two halves, with what a user may not have escaped between them.
BETWEEN = ["", "/", "@", ":", "%", "%2F", "%40", "%ZZ", "?", "#", "&", "=", "+", "//", "@/", "/@"]
BETWEEN += ["/@/", ":/", " ", "\\", "[", "^", ";", "é", "<", "?a=", "@a/b:c"]
SHAPES = [
    "s3://KEY:{}@bucket/x",
    "s3://KEY:{}@bucket",
    "s3://KEY:{}@bucket/x/y@z",
    "s3://:{}@bucket/x",
    "s3://KEY%3A{}@bucket/x",
    "s3://KEY:{}%40bucket/x",
    "S3://KEY:{}@bucket/x",
    "s3a://KEY:{}@bucket/x",
    "gs://KEY:{}@bucket/x?scheme=http",
    "s3:/KEY:{}@bucket/x",
    "s3:KEY:{}@bucket/x",
    " s3://KEY:{}@bucket/x",
    "s3 ://KEY:{}@bucket/x",
    "s3:///KEY:{}@bucket/x",
    "s3://KEY:{}",
    "s3://KEY:{}/",
    "https://user:{}@host/x",
]
QUERIES = [
    "s3://bucket/x?access_key={}",
    "s3://bucket/x?region=r&secret_key={}&scheme=http",
    "s3://bucket/x?session_token={}",
    "s3://bucket/x?SESSION%5FTOKEN={}",
    "s3://bucket/x?proxy_options=http://user:{}@proxy:80",
    "s3://bucket/x?endpoint_override=user:{}@host:9000",
    "s3://bucket/x?endpoint_override=http%3A%2F%2Fuser%3A{}%40host",
    "s3://bucket/x?sse_customer_key={}",
    "s3://bucket/x?{}",
    "gs://bucket/x?token={}",
]
HALVES = ("hush", "SHUH")


def shapes(templates: list[str], between: list[str]) -> list[str]:
    return [t.replace("{}", b.join(HALVES)) for t, b in itertools.product(templates, between)]


def is_decided(url: str) -> bool:
    """Not so where what follows an `@` may just as well be the bucket."""
    url = url.replace("%40", "@")
    return "@bucket" in url or "?" in url or "@" not in url or "@host" in url


def check(text: str, url: str) -> None:
    for half in HALVES:
        assert half not in text, f"{url}: {text}"


#: An option ends with its `&`, so what follows in a secret is read as the name of another.
OPTIONS = [b for b in BETWEEN if "=" not in b]


@pytest.mark.parametrize("shape", [*SHAPES, *QUERIES])
def test_no_url_shows_its_secret(shape: str) -> None:
    for url in filter(is_decided, shapes([shape], OPTIONS if shape in QUERIES else BETWEEN)):
        check(without_secrets(url), url)
        check(without_secrets(f"--data={url}"), url)
        if " " not in url:
            check(without_secrets(f"Cannot parse URI: '{url}' at (12)"), url)
            check(without_secrets(f"fer-tune search --results {url} --data x@y"), url)
        try:
            found = any_path(url)
        except ResultsError as error:
            check(str(error), url)
        else:
            assert isinstance(found, UrlPath)
            check(str(found), url)
            check(repr(found), url)
            check(repr(Address.of(url)), url)


#: Shapes that reach the library.
USED = [SHAPES[0], SHAPES[1], SHAPES[8], *QUERIES]


@pytest.mark.parametrize("shape", USED)
def test_what_the_library_says_of_a_url_shows_no_secret(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in shapes([shape], ["", "%2F", "%ZZ", "^", " ", "&"]):
        _used(url, monkeypatch)


def _used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the filesystem there, for which nothing is asked of a server."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if url.startswith("s3") and "endpoint_override" not in url:
        url += f"{'&' if '?' in url else '?'}endpoint_override=127.0.0.1:1&region=r"
    try:
        assert isinstance(found := any_path(url), UrlPath) and found.filesystem is not None
    except (ResultsError, OSError) as error:
        check(str(error), url)
        shown = None if error.__suppress_context__ else error.__context__
        assert error.__cause__ is shown is None


def test_what_is_no_secret_is_shown() -> None:
    for url in (
        "s3://bucket/a:b@c/d",
        "s3://bucket/x?endpoint_override=localhost:9000&scheme=http&region=us-east-1",
        "s3://bucket/x?endpoint_override=http%3A%2F%2Flocalhost%3A9000",
        "s3://bucket/x?tls_ca_file_path=/etc/ssl/my.pem&allow_bucket_creation=true",
        "gs://bucket/x?project_id=a-b",
        "http://127.0.0.1:8265/x@y",
        "http://127.0.0.1:8265",
        "http://[::1]:8265",
        "http://[fe80::1]:8265/x",
        "s3://bucket/x?endpoint_override=[::1]:9000",
    ):
        for text in (url, f"see {url} there", f"('{url}')", f"--data={url}"):
            assert without_secrets(text) == text
        if not url.startswith("http"):
            assert str(UrlPath(url)) == url
    for arn in ("arn:aws:s3:::my-bucket/x", "arn:aws-cn:s3:::b", "arn:aws:s3:eu-west-1:1:a/b"):
        text = f'is not authorized to perform s3:PutObject on resource: "{arn}" because'
        assert without_secrets(text) == text
    check(without_secrets("error:s3:KEY:hushSHUH@bucket/x"), "after a colon")
    for text in ("results/a:b@c", "./s3:x", "C:/x", "a@b:c", "s3: unavailable", os.sep):
        assert without_secrets(text) == text
    for end in (": no response", "`", "]", ">.", "').", "!"):
        assert without_secrets(f"see http://127.0.0.1:8265{end}").endswith(f"8265{end}")
    for text in ("not s3://bucket: there is none", "(s3://bucket), s3://bucket.", "s3:// is none"):
        assert without_secrets(text) == text


@pytest.mark.parametrize("url", ["s3:/bucket/x", " s3://bucket/x", "gs:bucket/x", "s3 ://bucket/x"])
def test_a_mistyped_url_is_no_path(url: str) -> None:
    with pytest.raises(ResultsError, match="looks like a mistyped object-store URL") as raised:
        any_path(url)
    assert "./" in str(raised.value)
    assert str(any_path(f"./{url}")).endswith("x")


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        ("hush-hush-hush", "a hush-hush-hush here", "a … here"),
        ("hush-hush-hush", "key=hush-hush-hush, url", "key=…, url"),
        ("expression", "/data/expressions and regexpression", None),
        ("/home/u/.ssh/key", "cannot read /home/u/.ssh/key", None),
        ("short", "a short one", None),
    ],
)
def test_credentials_of_the_environment_are_whole_words(
    value: str, text: str, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setenv("STORE_PASSWORD", value)
    assert secrets.masked(text) == (shown or text)
