"""Records that are looked up by the thousand compute their hash once."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")

_KEPT = "_hash"


def hash_once(cls: type[T]) -> type[T]:
    """A class of frozen records whose hash is computed when it is first asked for, and kept in this process."""
    compute = cls.__hash__

    def once(self: T) -> int:
        if _KEPT not in self.__dict__:
            self.__dict__[_KEPT] = compute(self)
        return self.__dict__[_KEPT]

    def state(self: T) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != _KEPT}

    cls.__hash__ = once
    cls.__getstate__ = state  # hashes of text differ from process to process
    return cls
