"""Credentials, by the names of the files that tools keep them in and by what they look like."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

#: Folders of which every file is a secret, as consecutive parts of a path.
_FOLDERS = tuple(
    PurePosixPath(folder).parts
    for folder in (
        ".aws",
        ".azure",
        ".config/gcloud",
        ".config/gh",
        ".config/rclone",
        ".gcloud",
        ".git",
        ".gnupg",
        ".huggingface",
        ".kaggle",
        ".kube",
        ".oci",
        ".password-store",
        ".ray",
        ".ssh",
        ".terraform",
    )
)
#: Names of files, in lower case.
_NAMES = (
    # Environments
    *(".env", ".env.*", ".env-*", ".env_*", "*.env", ".envrc"),
    # Private keys and key stores
    *("*.pem", "*.key", "*.ppk", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdb"),
    *("*.kdbx", "*.gpg", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    # Logins and tokens of tools
    *(".netrc", "_netrc", ".pypirc", ".npmrc", ".yarnrc.yml", ".git-credentials", ".gitcookies"),
    *(".htpasswd", ".pgpass", ".my.cnf", ".boto", ".s3cfg", ".dockercfg", ".dockerconfigjson"),
    *(".databrickscfg", ".terraformrc", "terraform.rc", "rclone.conf", ".vault-token"),
    *(".vault_pass*", ".*_history", "kaggle.json", "kubeconfig*", "*.kubeconfig"),
    *("auth_token", "*.token", "token", "token.txt", "token.json"),
    # Keys of clouds
    *("credentials", "credentials.*", "*credentials*.json", "client_secret*.json"),
    *("service_account*.json", "service-account*.json", "*accesskeys*.csv", "rootkey.csv"),
    *("*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json", "*.publishsettings"),
    # Any other
    *("*.secret", "*.secrets"),
    *(f"{stem}.{end}" for stem in ("secret", "secrets") for end in ("env", "ini", "json", "toml")),
    *(f"{stem}.{end}" for stem in ("secret", "secrets") for end in ("txt", "yaml", "yml")),
)
#: Below a folder of its own, where the name alone says too little.
_PATHS = (PurePosixPath(".docker/config.json"),)
#: Code, which may be called `credentials.py`.
_CODE = (".c", ".cpp", ".go", ".h", ".ipynb", ".js", ".md", ".py", ".pyi", ".rs", ".rst", ".ts")

#: What each begins or is labelled with, to look for first, and the whole.
_FORMS = tuple(
    (literal, re.compile(form))
    for literal, form in (
        # A line end after it, real or escaped as in JSON: code that only names it has none.
        (
            b"PRIVATE KEY",
            rb"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[\r\n\\]|\Z)",
        ),
        (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b"),
        (b"ASIA", rb"\bASIA[0-9A-Z]{16}\b"),
        *(
            (word, word + rb"(?i:_?(?:access_?)?key[\"']?\s{0,9}[=:]\s{0,9}[\"']?[a-z0-9/+]{40})")
            for word in (b"secret", b"Secret", b"SECRET")
        ),
        (b"service_account", rb"\"type\"\s{0,9}:\s{0,9}\"service_account\""),
        (b"refresh_token", rb"\"refresh_token\"\s{0,9}:\s{0,9}\"[^\"]{16}"),
        (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}"),
        (b"ya29.", rb"\bya29\.[0-9A-Za-z_-]{20}"),
        (b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{40}"),
        (b"sig=", rb"[?&]sig=[A-Za-z0-9%+/]{40}"),
        (b"gh", rb"\bgh[oprsu]_[A-Za-z0-9]{36}"),
        (b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{22}"),
        (b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20}"),
        (b"hf_", rb"\bhf_[A-Za-z0-9]{30}"),
        (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}"),
        (b"pypi-AgE", rb"\bpypi-AgE[A-Za-z0-9_-]{30}"),
        (b"sk-", rb"\bsk-(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{32}"),
        (b"sk_live_", rb"\bsk_live_[A-Za-z0-9]{16}"),
        (b"xox", rb"\bxox[abeoprs]-[A-Za-z0-9-]{10}"),
        (b"eyJ", rb"\beyJ[A-Za-z0-9_-]{10,4096}\.eyJ[A-Za-z0-9_-]{10,4096}\.[A-Za-z0-9_-]{10}"),
        (b'"key"', rb"\"key\"\s{0,9}:\s{0,9}\"[0-9a-f]{32}\""),  # Kaggle's, renamed
        (b"Secret", rb"(?m)^\s{0,9}\"?kind\"?:\s{0,9}\"?Secret\"?,?\s*$"),
        (b"://", rb"\b(?:s3|gs|https?)://[^\s/:@'\"]{1,128}:[^\s/@'\"{}<>]{16,256}@"),
        (
            b"://",
            rb"\b(?:postgres|mysql|mongodb|redis|amqp)[a-z+]{0,8}://[^\s/:@]{0,64}:[^\s/@]{1,128}@",
        ),
        # A line of an environment file, whatever it is called: no space around the sign.
        (
            b"=",
            rb"(?m)^(?:export )?[A-Z0-9_]{0,64}(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY)"
            rb"[A-Z0-9_]{0,64}=[\"']?(?=[^\s\"']{0,64}\d)[A-Za-z0-9+/_.~=-]{16}",
        ),
    )
)


def is_named(file: PurePosixPath) -> bool:
    """Whether ``file`` has a name or a folder under which tools keep secrets."""
    parts = tuple(part.lower() for part in file.parts)
    for folder in _FOLDERS:
        starts = range(len(parts) - len(folder))
        if any(parts[start : start + len(folder)] == folder for start in starts):
            return True
    if any(parts[-len(path.parts) :] == path.parts for path in _PATHS):
        return True
    name = parts[-1] if parts else ""
    return not name.endswith(_CODE) and any(fnmatchcase(name, form) for form in _NAMES)


def is_in(content: bytes) -> bool:
    """Whether something in ``content`` has the form of a private key, a token or a password."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # as PowerShell writes text
        content = content.decode("utf-16", errors="replace").encode(errors="replace")
    return any(literal in content and form.search(content) for literal, form in _FORMS)
