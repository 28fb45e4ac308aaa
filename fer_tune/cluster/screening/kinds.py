"""Pictures, data and models, by the endings of their names and by their first bytes."""

from __future__ import annotations

import re

#: Pictures, films, and documents that show some.
PICTURES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".jxl", ".gif", ".bmp"),
    *(".dib", ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif", ".ico", ".psd", ".xcf"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".pam", ".tga", ".exr", ".hdr", ".dcm", ".pdf"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"),
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"),
)
#: Tables, arrays and archives, which may hold pictures or lists of people.
DATA = (
    *(".csv", ".tsv", ".parquet", ".arrow", ".feather", ".orc", ".avro", ".jsonl", ".ndjson"),
    *(".npy", ".npz", ".mat", ".h5", ".hdf5", ".lmdb", ".mdb", ".tfrecord", ".tfrecords"),
    *(".db", ".sqlite", ".sqlite3", ".xls", ".xlsx", ".ods", ".rec", ".journal"),
    *(".zip", ".tar", ".tgz", ".gz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".lz4", ".7z"),
    *(".rar", ".whl", ".egg", ".iso", ".dump"),
)
MODELS = (
    *(".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".onnx", ".pkl", ".pickle", ".joblib"),
    *(".pb", ".tflite", ".keras", ".engine", ".plan", ".gguf", ".msgpack", ".mlmodel", ".npk"),
)

_PICTURE_STARTS = (
    *(b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"8BPS"),
    *(b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ", b"\x1aE\xdf\xa3", b"%PDF-", b"\0\0\x01\0", b"gimp xcf"),
    *(b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01"),
)
_PICTURE_START = re.compile(
    rb"RIFF....(?:WEBP|AVI )|....ftyp|BM....\0\0\0\0|.{128}DICM"
    rb"|P[1-6]\s{1,4}(?:#[^\n]{0,200}\n){0,9}\d{1,5}\s{1,4}\d",
    re.DOTALL,
)
_DATA_STARTS = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"),
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a", b"\x04\x22\x4d\x18", b"PAR1", b"ARROW1", b"\x93NUMPY"),
    *(b"\x89HDF\r\n", b"SQLite format 3\0", b"MATLAB 5.0", b"Obj\x01"),
)
_TAR = slice(257, 262), b"ustar"
#: A row of numbers, as FER2013 writes a picture: 256 of them are one of 16 x 16 pixels.
_NUMBERS = re.compile(rb"(?<![\d ,;\t])(?:\d{1,3}[ ,;\t]){255}\d")
#: Protocols 2 to 5; torch's older weights are pickles as well.
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
#: The length of a header of JSON, below 2^40 bytes, and its beginning.
_SAFETENSORS = re.compile(rb".{5}\0\0\0\{\"", re.DOTALL)
#: Bytes in which rows of pixels are looked for.
_ROWS = 2**20
#: In pages, drawings and notebooks; what has fewer characters is an icon.
_EMBEDDED = re.compile(
    rb"data:image/[a-z+.-]{1,16};base64,[A-Za-z0-9+/]{200}"
    rb"|\"image/(?:png|jpeg|gif|webp)\":\s{0,9}\[?\s{0,9}\"[A-Za-z0-9+/]{200}"
)


def is_picture(content: bytes) -> bool:
    """Whether ``content`` begins as a picture or film does."""
    return content.startswith(_PICTURE_STARTS) or bool(_PICTURE_START.match(content))


def is_data(content: bytes) -> bool:
    """Whether ``content`` begins as an archive, an array or a table does, or is rows of pixels."""
    where, mark = _TAR
    if content.startswith(_DATA_STARTS) or content[where] == mark:
        return True
    return bool(_NUMBERS.search(content, 0, _ROWS))


def is_model(content: bytes) -> bool:
    """Whether ``content`` begins as weights do."""
    return bool(_PICKLE.match(content) or _SAFETENSORS.match(content))


def embeds_pictures(content: bytes) -> bool:
    """Whether ``content`` is text with pictures in it, as a report or a notebook."""
    return b"image/" in content and bool(_EMBEDDED.search(content))
