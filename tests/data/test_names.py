import pytest

from fer_tune.data.names import class_name, class_names, split_name
from fer_tune.errors import DataError


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("Training", "train"),
        ("train", "train"),
        ("TESTING", "test"),
        ("val", "validation"),
        ("Validation", "validation"),
        ("PrivateTest", "test"),
        ("private_test", "test"),
        ("PublicTest", "test"),
        ("happy", None),
        ("latest", None),
    ],
)
def test_split_names_map_without_regard_to_case(text: str, split: str | None) -> None:
    assert split_name(text) == split


def test_public_test_goes_to_the_given_split() -> None:
    assert split_name("PublicTest", "validation") == "validation"
    assert split_name("PrivateTest", "validation") == "test"


@pytest.mark.parametrize(
    ("text", "name"),
    [("Suprise", "surprise"), (" HAPPY ", "happy"), ("anger", "angry"), ("Bored", "bored")],
)
def test_class_names_map(text: str, name: str) -> None:
    assert class_name(text) == name


def test_picked_classes_keep_their_order() -> None:
    assert class_names(["Suprise", "angry"]) == ("surprise", "angry")


@pytest.mark.parametrize("selected", [["angry"], [], ["angry", "Anger"], ["angry", " "]])
def test_a_senseless_pick_is_refused(selected: list[str]) -> None:
    with pytest.raises(DataError, match="two or more different"):
        class_names(selected)
