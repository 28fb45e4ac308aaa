"""Random words are accepted as classes; generated people, recordings and splits are not."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from made_folders import folders
from torchvision.models import ResNet18_Weights

from fer_tune.data.checks.first_names import FIRST_NAMES
from fer_tune.data.checks.suspicion import suspicion
from fer_tune.data.checks.words import plain

#: Words that name classes of any task.
_WORDS = (
    "apple banana bridge candle castle chair cloud coffee copper cotton dance desert dragon eagle "
    "engine fabric falcon farm fence fire fish flower forest fox garden glass gloves gold grass "
    "hammer harbor hat hill honey horse house ice island jacket kettle kitchen ladder lake lamp "
    "leaf lemon lion maple marble meadow metal mirror moon mountain mouse needle night noise ocean "
    "onion orange owl paint palace panda paper pencil pepper piano pine planet plastic pond potato "
    "quartz rabbit rain ribbon river road rocket roof rope salt sand shadow sheep shell ship shoe "
    "silver snow soap spoon spring star steel stone storm sugar summer sun sword table tea thunder "
    "tiger tomato tower tree valley velvet violin wagon wall water wave wheat wheel whale wind "
    "window winter wolf wood wool zebra bored confused calm tired excited proud ashamed jealous "
    "anger joy fear neutral contempt smile frown yawn wink Haus Baum Brot Käse Straße Übung maison "
    "été forêt señal corazón ação coração живот дерево река 猫 狗 水 火山 さくら ねこ "
    "사과 나무 كتاب بيت ψωμί νερό लाल नीला"
)
#: Each once, however it is written: Cardigan is a dog, cardigan a jacket.
WORDS = list(
    {plain(w): w for w in (*_WORDS.split(), *ResNet18_Weights.DEFAULT.meta["categories"])}.values()
)
FILES = st.sampled_from(
    [
        "{k}.png",
        "{name}_{k}.jpg",
        "{name} ({k}).jpg",
        "img{k:04d}.png",
        "IMG_20210304_{k:06d}.jpg",
        "S{k:03d}_{k:03d}.png",
        "train_{k:05d}_aligned.jpg",
        "PrivateTest_{k}.jpg",
        "frame{k}.png",
    ]
)
SPLITS = st.sampled_from([(), ("train", "test"), ("train", "validation", "test")])
DECORATIONS = st.sampled_from(["{}", "{}", "{}s", "01_{}", "{}_faces", "the {}", "{}-like", "{}2"])


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=20, unique=True),
    decoration=DECORATIONS,
    file=FILES,
    splits=SPLITS,
    pictures=st.integers(2, 12),
)
def test_random_words_as_classes_are_accepted(
    words: list[str], decoration: str, file: str, splits: Sequence[str], pictures: int
) -> None:
    # Two letters behind a number with a zero are a person's: 01_ox is as 001_S.
    words = [word for word in words if len(word) > 2 or decoration != "01_{}"]
    names = [decoration.format(word) for word in words]
    assert suspicion(folders(names, pictures=pictures, splits=splits, file=file)) is None


def numbered(pattern: str, first: int, count: int) -> list[str]:
    return [pattern.format(k) for k in range(first, first + count)]


PEOPLE = st.builds(
    numbered,
    st.sampled_from(
        [
            "S{:03d}",
            "subject{}",
            "Subject {:02d}",
            "person_{}",
            "P{:02d}",
            "actor-{:02d}",
            "AF{:02d}",
            "user{:04d}",
            "id{:05d}",
            "participant_{}",
            "KA{:02d}",
            "XY{:03d}",
            "{:03d}_S",
            "sub-{:02d}",
        ]
    ),
    st.integers(1, 90),
    st.integers(2, 40),
) | st.lists(st.sampled_from(sorted(FIRST_NAMES)), min_size=2, max_size=30, unique=True)
RECORDINGS = st.builds(
    numbered,
    st.sampled_from(
        [
            "{:03d}",
            "{:05d}",
            "seq{}",
            "clip_{:02d}",
            "video {}",
            "session{}",
            "take-{}",
            "batch_{}",
            "2021-03-{:02d}",
            "201905{:02d}_120000",
            "15893{:05d}",
            "frame_{:06d}",
            "trial{:02d}",
        ]
    ),
    st.integers(1, 9),
    st.integers(2, 15),
)
SPLIT_NAMES = st.lists(
    st.sampled_from(
        [
            "train_1",
            "train_old",
            "test_a",
            "raf_train",
            "raf_test",
            "entrenamiento",
            "prueba",
            "eğitim",
            "sınama",
            "训练集",
            "测试集",
            "test_final",
            "Train2",
            "my_train",
            "my_test_v2",
        ]
    ),
    min_size=2,
    max_size=5,
    unique=True,
)


@settings(max_examples=200, deadline=None)
@given(names=PEOPLE, pictures=st.integers(1, 12))
def test_generated_people_are_refused(names: list[str], pictures: int) -> None:
    assert suspicion(folders(names, pictures=pictures)) is not None


@settings(max_examples=200, deadline=None)
@given(names=RECORDINGS, pictures=st.integers(1, 12))
def test_generated_recordings_are_refused(names: list[str], pictures: int) -> None:
    assert suspicion(folders(names, pictures=pictures)) is not None


@settings(max_examples=200, deadline=None)
@given(names=SPLIT_NAMES, file=FILES)
def test_generated_splits_are_refused(names: list[str], file: str) -> None:
    splits = {"raf_train", "raf_test"}
    if len({*names} - splits) == 0 and not splits <= {*names}:
        return
    found = suspicion(folders(names, file=file))
    assert found is not None and found.kind == "splits"
