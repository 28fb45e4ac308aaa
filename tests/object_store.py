"""A real S3-speaking server on loopback, that can become unavailable and available again."""

from __future__ import annotations

from typing import Any

from fer_tune.storage import UrlPath

BUCKET = "searches"


class ObjectStore:
    """moto's server in threads of this process; what it holds outlives :meth:`stop`."""

    def __init__(self) -> None:
        self._server: Any = None
        self.port = 0
        #: Method and key (with the bucket) of every request, in the order in which they came.
        self.requests: list[tuple[str, str]] = []
        #: Refuses who shows no credentials, as Amazon does and moto cannot.
        self.guarded = False
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        app = self._server._server.app

        def noting(environ: dict[str, Any], start: Any) -> Any:
            self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/")))
            if self.guarded and "HTTP_AUTHORIZATION" not in environ:
                start("403 Forbidden", [("Content-Length", "0")])
                return [b""]
            return app(environ, start)

        self._server._server.app = noting

    def stop(self) -> None:
        """Nobody answers at the port until it is started again."""
        self._server.stop()

    @property
    def query(self) -> str:
        return f"endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"

    def url(self, key: str, bucket: str = BUCKET, user: str = "key:secret@") -> str:
        return f"s3://{user}{bucket}/{key}?{self.query}"

    def folder(self, key: str) -> UrlPath:
        return UrlPath(self.url(key))

    def make_bucket(self) -> None:
        folder = UrlPath(self.url("x") + "&allow_bucket_creation=true")
        folder.filesystem.create_dir(BUCKET)

    def keys(self, folder: UrlPath) -> list[str]:
        """Names of all objects beneath, below the folder."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(folder.path, recursive=True, allow_not_found=True)
        infos = folder.filesystem.get_file_info(selector)
        start = len(folder.path) + 1
        return sorted(info.path[start:] for info in infos if info.type == FileType.File)


def impatient(filesystem: Any) -> Any:
    """An S3 file system that asks once: pyarrow itself would try again for up to six seconds."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    if not isinstance(filesystem, S3FileSystem):
        return filesystem
    make, (options,) = filesystem.__reduce__()
    return make({**options, "retry_strategy": AwsStandardS3RetryStrategy(max_attempts=1)})
