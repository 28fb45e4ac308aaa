"""Names of splits: what is read as one, and what only looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fer_tune.data.checks.words import words_of
from fer_tune.errors import DataError

#: Read as a split wherever it occurs.
_EXACT = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}
#: Read as a split unless a folder above or below is one by its exact name.
_USUAL = {
    **_EXACT,
    "trn": "train",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "validate": "validation",
    "eval": "test",
    "evaluation": "test",
    "heldout": "test",
    "holdout": "test",
    "tst": "test",
}
#: Words that may accompany these: ``training_set``, ``test images``, ``FER2013Train``.
_BESIDE = (
    *("dataset", "datasets", "data", "sets", "set", "subset", "split", "folder", "partition"),
    *("images", "image", "imgs", "img", "pictures", "pics", "photos", "faces", "face", "samples"),
    *("files", "fer2013", "fer"),
)
#: Which of several: ``test_old``, ``train final``.
_KINDS_OF = words_of(
    "old|new|final|small|big|large|extra|full|sample|copy|backup|a|b|c|v|clean|noisy|public|"
    "private|official|my|the|all|first|second|part|unlabeled|unlabelled|labeled|labelled"
)
#: Of FER2013, whose use an option decides.
PUBLIC_TEST = "publictest"
#: Both mean validation if a test split is also present.
EVALUATION = frozenset({"eval", "evaluation"})

#: Words for splits that are not read as one: languages differ in what they mean by them.
_FOREIGN = {
    "train": "trainings|trainingsdaten|entrenamiento|apprentissage|entrainement|entraînement|"
    "addestramento|treino|treinamento|eğitim|egitim|обучение|обучающая|тренировка|trening|"
    "uczenie|trénink|trenování|tanító|oefenen|trainingsmenge|训练|训练集|訓練|訓練集|"
    "学習|学習用|학습|훈련|تدريب|التدريب|آموزش|प्रशिक्षण",
    "validation": "validierung|validación|validacion|validazione|validação|validacao|validatie|"
    "doğrulama|dogrulama|проверка|валидация|walidacja|validace|验证|验证集|驗證|検証|검증|تحقق|"
    "اعتبارسنجی|सत्यापन",
    "test": "testdaten|prueba|pruebas|essai|prova|teste|testes|тест|тестирование|testy|teszt|"
    "测试|测试集|測試|テスト|評価|시험|테스트|평가|اختبار|الاختبار|آزمون|परीक्षण|sınama|sinama",
}
_FOREIGN_WORDS = {
    word: split for split, words in _FOREIGN.items() for word in words.casefold().split("|")
}


def _key(text: str) -> str:
    return re.sub(r"[\s_.-]+", "", text.casefold())


def is_exact(text: str) -> bool:
    """Whether a name is the bare word for a split, as ``Training``."""
    return _key(text) in _EXACT or _key(text) == PUBLIC_TEST


def split_word(text: str) -> str | None:
    """The word for a split that a name is: bare, or beside ``set``, ``data``, ``images``."""
    key = _key(text)
    while key not in _USUAL and key != PUBLIC_TEST:
        shorter = _without_one(key)
        if shorter is None:
            return None
        key = shorter
    return key


def usual_split(text: str) -> str | None:
    """The split that a name stands for, or None; FER2013's PublicTest is for testing."""
    word = split_word(text)
    return None if word is None else _USUAL.get(word, "test")


def _without_one(key: str) -> str | None:
    for word in _BESIDE:
        if key.endswith(word):
            return key.removesuffix(word)
        if key.startswith(word):
            return key.removeprefix(word)
    return None


def resembling_splits(names: Iterable[str]) -> dict[str, str]:
    """Names that only look like splits (``train_2``, ``raf_test``, ``entrenamiento``), with those.

    A name in which another word accompanies the split (``test_tube``) counts only if other names
    have the words for other splits.
    """
    clear: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for name in names:
        split, alone = _resembled(name)
        if split is not None:
            (clear if alone else unclear)[name] = split
    if len({*clear.values(), *unclear.values()}) > 1:
        return {**clear, **unclear}
    return clear


def named_splits(found: Mapping[str, str]) -> str:
    """What ``--split-names`` would say, NAME=SPLIT separated by commas."""
    return ",".join(f"{name}={split}" for name, split in found.items() if split != "fold")


def _resembled(name: str) -> tuple[str | None, bool]:
    """The split that a name has a word for, and whether nothing else is in it."""
    words = _words(name)
    whole = " ".join(words)
    if usual_split(name) is not None or not words:
        return None, False
    if is_fold(name):
        return "fold", True
    if whole in _FOREIGN_WORDS:
        return _FOREIGN_WORDS[whole], True
    for word in words:
        split = usual_split(word) or _FOREIGN_WORDS.get(word)
        if split is not None:
            others = [one for one in words if one != word]
            return split, all(one in _BESIDE or one in _KINDS_OF for one in others)
    return None, False


def _words(text: str) -> list[str]:
    """Words of a name, lower case; a change from small to capital letters starts a new one."""
    parted = re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", text)
    return [word.casefold() for word in re.findall(r"[^\W\d_]+", parted)]


def is_fold(text: str) -> bool:
    """Whether a name is that of a cross-validation fold: ``fold_0``, ``Fold 3``."""
    return (
        re.fullmatch(r"(k?folds?|cv|split)[\s_.-]*(\d+|(?<=[\s_.-])[a-z])", text.casefold())
        is not None
    )


def given_splits(pairs: Iterable[str]) -> dict[str, str]:
    """``--split-names``: ``entrenamiento=train`` and so on, by lower-case name.

    Raises:
        DataError: not NAME=SPLIT, or an unknown split.
    """
    found = {}
    for pair in pairs:
        name, equals, split = (part.strip() for part in pair.rpartition("="))
        target = usual_split(split)
        if not equals or not name or target is None:
            raise DataError(
                "must be NAME=SPLIT with the split train, validation or test",
                where="--split-names",
                value=pair,
                remedy="For example --split-names entrenamiento=train,prueba=test",
            )
        found[_key(name)] = target
    return found


def evaluation_splits(names: Iterable[str]) -> dict[str, str]:
    """Which of these folders are validation because another one is the test split.

    ``eval`` is used for either.
    """
    words = {name: split_word(name) for name in names}
    evaluation = {_key(name) for name, word in words.items() if word in EVALUATION}
    tests = [w for w in words.values() if w and w not in EVALUATION and _USUAL.get(w) == "test"]
    return dict.fromkeys(evaluation, "validation") if tests else {}


def given_split(text: str, given: Mapping[str, str]) -> str | None:
    """The split of a name by ``--split-names``, or None."""
    return given.get(_key(text))
