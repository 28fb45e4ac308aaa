"""Secrets, pictures, data and models stay here, whatever they are called and wherever they lie."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from fer_tune.cluster.jobs.package import packed
from fer_tune.cluster.jobs.source_tree import Tree, working_tree
from fer_tune.cluster.jobs.submission import checked_overrides
from fer_tune.cluster.screening import Reason, by_content
from fer_tune.errors import EnvironmentFault, ResultsError

ROOT = Path(__file__).resolve().parents[3]
#: Parts of keys, so that this file itself holds none.
BEGIN, KEY = "-----BEGIN ", "PRIVATE KEY"

NAMED_SECRETS = (
    *(".env", ".env.local", "deploy/prod.env", ".envrc", "tls/server.pem", "tls/server.key"),
    *("id_rsa", "keys/id_ed25519", ".aws/credentials", ".ssh/config", ".kube/config"),
    *("home/.config/gcloud/access_tokens.db", ".netrc", ".pypirc", ".npmrc", ".git-credentials"),
    *("kaggle.json", "store.P12", "a.pfx", "a.jks", "passwords.kdbx", ".ray/auth_token"),
    *("auth_token", "infra/terraform.tfstate", "infra/prod.tfvars", ".docker/config.json"),
    *("my-credentials.json", "credentials", "secrets.yaml", ".bash_history"),
)
SECRETS = {
    "OpenSSH key": f"{BEGIN}OPENSSH {KEY}-----\nb3BlbnNzaC1rZXk\n",
    "key in JSON": f'{{"pem": "{BEGIN}{KEY}-----\\nMIIE"}}',
    "PGP key": f"{BEGIN}PGP {KEY} BLOCK-----\r\n\r\nlQ",
    "service account": '{"type": "service_' + 'account", "project_id": "p"}',
    "Amazon's id": "id = AKIA" + "IOSFODNN7EXAMPLE",
    "key without an end": f"{BEGIN}RSA {KEY}-----",
    "Amazon's secret in JSON": '"SecretAccessKey": "' + "wJalrXUtnFEMI/K7MDENG/" * 2,
    "Amazon's secret": "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "GitHub": "url: https://ghp_" + "a1B2c3D4e5F6" * 3 + "@github.com/a/b",
    "Hugging Face": "hf_" + "a1B2c3D4e5F6" * 3,
    "URL": "s3://AKID:" + "wJalrXUtnFEMIK7MDENG" + "@bucket/faces",
    "database": "postgres://me:" + "hush@db/x",
    "environment": "export WANDB_API_KEY=" + "0123456789abcdef0123456789abcdef01234567",
    "Kaggle": '{"username": "me", "key": "' + "0123456789abcdef" * 2 + '"}',
    "Kubernetes": "apiVersion: v1\nkind: " + "Secret\ndata: {}\n",
}


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((16, 16), 50).save(out, form)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("face.txt", "x")
    return out.getvalue()


def array() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


EMBEDDED = "iVBORw0KGgo" * 30
CONTENTS = {
    **{f"a {form}": (Reason.PICTURE, picture(form)) for form in ("PNG", "JPEG", "GIF", "BMP")},
    **{f"a {form}": (Reason.PICTURE, picture(form)) for form in ("TIFF", "WEBP", "PPM")},
    "a film": (Reason.PICTURE, b"\0\0\0\x18ftypmp42" + bytes(20)),
    "a report": (Reason.PICTURE, f'<img src="data:image/png;base64,{EMBEDDED}">'.encode()),
    "a notebook": (Reason.PICTURE, f'{{"image/png": "{EMBEDDED}"}}'.encode()),
    "FER2013": (Reason.DATA, b"emotion,pixels,Usage\n0," + b"70 80 " * 1152 + b"1,Training\n"),
    "a zip": (Reason.DATA, archive()),
    "gzip": (Reason.DATA, b"\x1f\x8b\x08\0"),
    "Parquet": (Reason.DATA, b"PAR1\x15\x04"),
    "an array": (Reason.DATA, array()),
    "a pickle": (Reason.MODEL, pickle.dumps({"weight": 1})),
    "safetensors": (Reason.MODEL, struct.pack("<Q", 40) + b'{"a":{"dtype":"F32"'),
    **{name: (Reason.SECRET, text.encode()) for name, text in SECRETS.items()},
    "UTF-16": (Reason.SECRET, SECRETS["environment"].encode("utf-16")),
}


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(root), *identity, *words], check=True, capture_output=True)


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        (root / name).write_bytes(data)


@pytest.fixture(params=["tracked", "new", "no git"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with code in it; what is added to it is tracked, is not, or there is no git."""
    top = tmp_path / request.param
    write(top, {"code.py": "print()"})
    if request.param != "no git":
        git(top, "init", "-q")
    return top


def tree_of(root: Path, *include: str) -> Tree:
    if root.name == "tracked":
        git(root, "add", "--force", "--all")
    return working_tree(root, include)


def sent(root: Path, *include: str) -> set[str]:
    """What the zip holds in the end."""
    with packed(tree_of(root, *include), None) as package, zipfile.ZipFile(package.file) as made:
        return set(made.namelist())


def test_secrets_by_their_names(root: Path) -> None:
    write(root, dict.fromkeys(NAMED_SECRETS, "nothing that looks like one"))
    assert sent(root) == {"code.py"}
    if root.name != "no git":  # hidden files are not even looked at there
        left = set(map(str, tree_of(root).reasons[Reason.SECRET]))
        assert left == set(NAMED_SECRETS)


def test_secrets_pictures_data_and_models_by_their_content(root: Path) -> None:
    names = {f"notes/{i}.txt": kind for i, kind in enumerate(CONTENTS)}
    write(root, {name: CONTENTS[kind][1] for name, kind in names.items()})
    assert sent(root) == {"code.py"}
    found = {str(file): why for why, files in tree_of(root).reasons.items() for file in files}
    assert {kind: found[name] for name, kind in names.items()} == {
        kind: why for kind, (why, _) in CONTENTS.items()
    }


def test_a_secret_far_behind_the_beginning() -> None:
    assert by_content(b"harmless\n" * 100_000 + SECRETS["OpenSSH key"].encode()) is Reason.SECRET


def test_pictures_data_and_models_by_their_endings(root: Path) -> None:
    names = ("f/a.JPG", "f/b.png", "f/c.webp", "t/fer2013.csv", "t/x.npy", "t/x.tar.gz", "m.pth")
    write(root, dict.fromkeys(names, "cannot be recognised by its content"))
    assert sent(root) == {"code.py"}
    assert tree_of(root).left_out == len(names)


def test_code_that_only_speaks_of_secrets_is_sent(root: Path) -> None:
    text = f"MARK = '{BEGIN}{KEY}-----'\nurl = 's3://KEY:SECRET@bucket'\nTOKEN = os.environ['T']\n"
    write(root, {"credentials.py": text, "token.py": "", "rows.txt": "1 2 3\n" * 500})
    assert sent(root) == {"code.py", "credentials.py", "token.py", "rows.txt"}


def test_links_are_followed_to_files_that_are_sent_alone(root: Path) -> None:
    outside = root.parent / "outside"
    write(outside, {"plain.txt": "not of the tree", "folder/inner.txt": "neither"})
    write(root, {"code/real.py": "1", ".env": "A=1", "ignored/x.txt": "2", "face.png": "3"})
    if root.name == "new":
        write(root, {".gitignore": "ignored/\n"})
    links = {
        "out.txt": outside / "plain.txt",
        "folder": outside / "folder",
        "hop.txt": "out.txt",
        "innocent.txt": ".env",
        "picture.txt": "face.png",
        "good.py": "code/real.py",
        "up.txt": "../outside/plain.txt",
        "loop": "loop",
        "nowhere": "gone",
        "config.txt": ".git/config",
    }
    if root.name == "new":
        links["from_ignored.txt"] = "ignored/x.txt"
    for name, target in links.items():
        (root / name).symlink_to(target)
    with packed(tree_of(root), None) as package, zipfile.ZipFile(package.file) as made:
        ours = {name for name in made.namelist() if name not in (".gitignore", "ignored/x.txt")}
        assert ours == {"code.py", "code/real.py", "good.py"}
        assert made.read("good.py") == b"1"
    left = tree_of(root).reasons[Reason.LINK]
    assert {"out.txt", "folder", "hop.txt", "up.txt"} <= set(map(str, left))


def test_a_tracked_folder_that_has_become_a_link(tmp_path: Path) -> None:
    root = tmp_path / "tracked"
    write(root, {"a/b.txt": "1"})
    git(root, "init", "-q")
    git(root, "add", "--all")
    (root / "a").rename(tmp_path / "outside")
    (root / "a").symlink_to(tmp_path / "outside")
    tree = working_tree(root)
    assert tree.files == () and tree.reasons == {
        Reason.LINK: (PurePosixPath("a"), PurePosixPath("a/b.txt"))
    }


@pytest.mark.parametrize("become", ["link", "pipe", "linked folder"])
def test_what_changes_after_it_was_judged_is_not_followed(become: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, {"secret/x.txt": "outside", "root/a/x.txt": "inside"})
    tree = working_tree(root)
    file = root / "a/x.txt"
    file.unlink()
    if become == "link":
        file.symlink_to(tmp_path / "secret/x.txt")
    elif become == "pipe":
        os.mkfifo(file)
    else:
        file.parent.rmdir()
        file.parent.symlink_to(tmp_path / "secret")
    with pytest.raises(EnvironmentFault, match=r"a/x\.txt: .*cannot be packed"), packed(tree, None):
        pass


def test_a_dataset_of_which_git_ignores_the_pixels(tmp_path: Path) -> None:
    root = tmp_path / "new"
    write(root, {".gitignore": "*.bin\n", "d/dataset.json": "{}", "d/pixels.bin": "faces"})
    write(root, {"d/sub/notes.txt": "of the same dataset"})
    git(root, "init", "-q")
    assert sent(root) == {".gitignore"}


FILES = {
    "docs/a.png": picture("PNG"),
    "docs/token.txt": "x",
    "docs/deep/b.png": picture("PNG"),
    "docs/c.jsonl": SECRETS["GitHub"],
    "ignored/w.pth": b"x",
    ".env": "A=1",
}


@pytest.mark.parametrize(
    ("include", "more"),
    [
        (["docs/a.png"], {"docs/a.png"}),
        (["*.png"], {"docs/a.png", "docs/deep/b.png"}),
        (["docs/*"], {"docs/a.png", "docs/deep/b.png"}),
        (["docs"], {"docs/a.png", "docs/deep/b.png"}),
        (["./docs/a.png", "ignored/w.pth"], {"docs/a.png", "ignored/w.pth"}),
        (["ignored/"], {"ignored/w.pth"}),
        ([".env"], {".env"}),
        (["docs/token.txt"], {"docs/token.txt"}),
        (["docs/c.jsonl"], {"docs/c.jsonl"}),
        (["*"], {"docs/a.png", "docs/deep/b.png"}),
    ],
)
def test_what_is_included_by_name(include: list[str], more: set[str], tmp_path: Path) -> None:
    """A secret only by its own name, not by a pattern or a folder that happens to match."""
    root = tmp_path / "new"
    write(root, {**FILES, ".gitignore": "ignored/\n"})
    git(root, "init", "-q")
    assert sent(root, *include) == {".gitignore"} | more


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("../outside.txt", "inside the working tree"),
        ("/etc/passwd", "inside the working tree"),
        (".", "inside the working tree"),
        ("", "inside the working tree"),
        ("a/../../outside.txt", "inside the working tree"),
        ("link.txt", "is outside the working tree"),
        ("linked/x", "is outside the working tree"),
        ("*.jpeg", "matches no file"),
        ("x" * 5000, "matches no file"),
    ],
)
def test_nothing_outside_is_included(include: str, said: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, {"outside.txt": "x", "folder/x": "x", "root/code.py": ""})
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "linked").symlink_to(tmp_path / "folder")
    with pytest.raises(EnvironmentFault, match=said) as caught:
        working_tree(root, [include])
    assert str(caught.value).startswith("--include: ")


@pytest.mark.parametrize("include", ["link.png", "linked/face.png"])
def test_a_link_is_not_included_without_its_file(include: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, {"docs/face.png": picture("PNG")})
    (root / "link.png").symlink_to("docs/face.png")
    (root / "linked").symlink_to("docs")
    with pytest.raises(EnvironmentFault, match="name the file that it points to") as caught:
        working_tree(root, [include])
    assert str(caught.value).endswith("Use --include docs/face.png")
    assert sent(root, include, "docs/face.png") == {include, "docs/face.png"}


def test_of_the_source_of_fer_tune_nothing_is_left_out_that_runs() -> None:
    """Pictures of the documentation, and whatever credentials tests make up."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    done = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True
    )
    tree = working_tree(ROOT)
    missing = {name for name in done.stdout.splitlines() if (ROOT / name).exists()}
    missing -= set(map(str, tree.files))
    assert tree.own and {Path(name).parts[0] for name in missing} <= {"docs", "tests"}


@pytest.mark.parametrize("secret", [SECRETS["URL"], SECRETS["Hugging Face"], "s3://k:hush@b/r"])
def test_an_override_with_a_credential_goes_into_no_command(secret: str) -> None:
    checked_overrides(["budget.trials=4", "purpose=compare s3://bucket/faces"])
    with pytest.raises(ResultsError, match=r"--set purpose: .*contains credentials") as caught:
        checked_overrides([f"purpose={secret}"])
    assert secret not in str(caught.value)
