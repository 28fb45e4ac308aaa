"""Upper bounds for a search, a results folder or a packed dataset.

Far above any sensible search. They bound the time and memory for reading an untrusted file.
The search space, the records and the datasets use the same numbers.
"""

from __future__ import annotations

MIB = 2**20
GIB = 2**30

# -- counts -----------------------------------------------------------------------------------

#: Classes of a dataset. A confusion matrix has the square of it.
CLASSES = 1_000
#: Arms of a search.
ARMS = 100
#: Independent studies per arm.
REPLICATES = 1_000
#: Trials of a search, all arms together.
TRIALS = 1_000_000
#: Epochs of a trial, and whatever else is counted in epochs.
EPOCHS = 100_000
#: Recycled views.
VIEWS = 100_000
#: Confirmation seeds per choice.
SEEDS = 1_000
#: Values of a choice, and baselines of a search space.
CHOICES = 1_000
#: Keys of one mapping in a search space.
KEYS = 100
#: Trials in one of which passes a rung.
REDUCTION = 1_000
#: CPU cores of a trial.
CPUS = 10_000
#: Values and keys in the search space of a manifest or a log, all levels together.
SPACE_VALUES = 20_000
#: Numbers of runs; with those of later runs they fit into a column of 32 bits.
RUN_NUMBERS = 2_000_000_000
#: Pictures, parameters of a network, bytes: anything else that is counted.
COUNT = 10**15
#: Seconds since the Unix epoch, in the year 5138; a duration is shorter. One that was measured
#: with a clock that was set back may be negative.
SECONDS = 1e11

# -- texts ------------------------------------------------------------------------------------

#: Characters of a name, of a path or other short text, and of any text.
NAME, LINE, TEXT = 255, 4_096, 100_000

# -- files ------------------------------------------------------------------------------------

#: Levels of lists and mappings in JSON.
JSON_DEPTH = 32
MANIFEST_BYTES = 8 * MIB
LATENCY_BYTES = 8 * MIB
CARD_BYTES = 4 * MIB
#: Weights of a kept model.
MODEL_BYTES = 8 * GIB
#: An event holds a confusion matrix.
EVENT_BYTES = 16 * MIB
#: Names every picture that could not be imported.
DESCRIPTION_BYTES = 64 * MIB

#: Rows of one table of the records, and bytes of it in memory.
TABLE_ROWS = 20_000_000
TABLE_BYTES = 2 * GIB
#: A row per test picture and confirmation run, some 220 bytes each.
PREDICTIONS_BYTES = 8 * GIB
#: One file of a table.
PART_BYTES = GIB
#: Bytes of ``index.parquet``, also in memory; its rows are bounded by the bytes of the pixels.
INDEX_BYTES = 4 * GIB

# -- pictures ---------------------------------------------------------------------------------

#: Side of a packed picture, in pixels.
PICTURE_SIDE = 65_535
#: Side of a thumbnail, in pixels, and the bytes of its PNG.
THUMBNAIL_SIDE = 256
THUMBNAIL_BYTES = 256 * 1024
