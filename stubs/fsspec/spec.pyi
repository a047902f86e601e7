from typing import Any

class AbstractFileSystem:
    protocol: str | tuple[str, ...]
    cachable: bool
    def __init__(self, *args: Any, **storage_options: Any) -> None: ...
    @classmethod
    def _strip_protocol(cls, path: str) -> str: ...
