"""A storage of objects for tests: no folders, no rename; what is put there is there when whole."""

import io
from typing import Any, ClassVar

import fsspec
from fsspec.spec import AbstractFileSystem

__all__ = ["Bucket"]


class Bucket(AbstractFileSystem):
    """Objects under names with slashes, in this process, as in an object store."""

    protocol = "bucket"
    cachable = False
    store: ClassVar[dict[str, bytes]] = {}
    full: ClassVar[bool] = False
    """Whether nothing more can be put there."""
    bits_rot: ClassVar[bool] = False
    """Whether what is put there is kept with an error."""

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        top = self._strip_protocol(path).strip("/")
        found: dict[str, dict[str, Any]] = {}
        for key, content in self.store.items():
            if key == top:
                found[key] = {"name": key, "size": len(content), "type": "file"}
            elif key.startswith(f"{top}/"):
                name, _slash, rest = key[len(top) + 1 :].partition("/")
                kind, size = ("directory", 0) if rest else ("file", len(content))
                found[f"{top}/{name}"] = {"name": f"{top}/{name}", "size": size, "type": kind}
        if not found:
            raise FileNotFoundError(path)
        return list(found.values()) if detail else list(found)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:
        if mode != "rb":
            return _Upload(self, path)
        if path not in self.store:
            raise FileNotFoundError(path)
        return io.BytesIO(self.store[path])

    def put(self, path: str, content: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        if self.bits_rot and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.store[path] = content

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        self.put(path2, self.store[path1])

    def rm_file(self, path: str) -> None:
        if self.store.pop(path, None) is None:
            raise FileNotFoundError(path)

    _rm = rm_file

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """There are no folders."""


class _Upload(io.BytesIO):
    def __init__(self, bucket: Bucket, path: str) -> None:
        super().__init__()
        self._bucket, self._path = bucket, path

    def close(self) -> None:
        if not self.closed:
            self._bucket.put(self._path, self.getvalue())
        super().close()


fsspec.register_implementation("bucket", Bucket, clobber=True)
