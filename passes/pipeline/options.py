"""The options of a pass are the fields of its class: what may be given for them, as text and as values."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from xdsl.passes import ModulePass

from dnnc.passes.pipeline.syntax import Option, Token, unquoted

Bytes = Annotated[
    int, "bytes"
]  # the type of an option that is a size: 4096, 64KB, 2MB, 1GB as text, KB = KiB = 1,024 bytes

UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(i?)B?", re.I)
_PLAIN = re.compile(r"(?!(true|false|none)$)[\w.:/\\+*~@%-]+")


class Unfit(ValueError):
    """A value that an option does not take; the message says what it takes."""


def declared(kind: type[ModulePass]) -> dict[str, Field[Any]]:
    """The fields of a pass that are options, by the name they have on the command line."""
    return {dashed(f.name): f for f in fields(kind) if f.name != "name" and f.init}  # pyright: ignore[reportArgumentType]


def dashed(name: str) -> str:
    """`max_ops` as it is written: `max-ops`."""
    return name.replace("_", "-")


def required(kind: type[ModulePass]) -> list[str]:
    """Names of the options that must be given."""
    return [n for n, f in declared(kind).items() if f.default is MISSING and f.default_factory is MISSING]


def options_text(kind: type[ModulePass]) -> str:
    """The options of a pass, for messages and pages."""
    names = [f"{name} ({type_text(f)})" for name, f in declared(kind).items()]
    return f"Options: {', '.join(names)}." if names else "It has no options."


def type_text(field: Field[Any]) -> str:
    """The type of an option as its class writes it."""
    if field.type == Bytes:
        return "Bytes"
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))


def read_options(
    kind: type[ModulePass], given: Sequence[Option]
) -> tuple[dict[str, Any], list[tuple[int | None, str]]]:
    """Field values of a pass from what is written for them, and what is wrong: (position, message), all of it."""
    known, hints = declared(kind), get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    wrong: list[tuple[int | None, str]] = []
    for option in given:
        name = dashed(option.name)
        if name not in known:
            wrong.append((option.at, f"expected no option {name}.{nearest(name, known)}"))
        elif known[name].name in values:
            wrong.append((option.at, f"expected the option {name} once, not twice."))
        else:
            try:
                values[known[name].name] = read(hints[known[name].name], option)
            except Unfit as e:
                values[known[name].name] = None
                wrong.append((option.at, str(e)))
    wrong += [(None, f"expected the option {n}, not none.") for n in required(kind) if known[n].name not in values]
    return values, wrong


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean max-ops?`, or nothing."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {near[0]}?" if near else ""


def read(hint: Any, option: Option) -> Any:
    """The values written for an option as the type of its field has them."""
    for one in _choices(hint):
        try:
            return _read(one, option.values)
        except (ValueError, TypeError):
            continue
    got = f"{dashed(option.name)}={','.join(v.text for v in option.values)}" if option.values else dashed(option.name)
    raise Unfit(f"expected values of the options' types, not {got}.")


def _choices(hint: Any) -> tuple[Any, ...]:
    """The members of a union, texts last: they take anything."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return tuple(sorted(members, key=lambda m: m is str))


def _read(hint: Any, values: Sequence[Token]) -> Any:
    if get_origin(hint) is tuple:
        element = get_args(hint)[0]
        return tuple(_one(element, v) for v in values)
    if not values and hint in (bool, types.NoneType):
        return True if hint is bool else None
    (value,) = values
    return _one(hint, value)


def _one(hint: Any, value: Token) -> Any:
    text = unquoted(value)
    if get_origin(hint) is Literal:
        return {str(v): v for v in get_args(hint)}[text] if text in map(str, get_args(hint)) else _unfit(text)
    if hint is str:
        return text
    if value.kind == "string":
        return _unfit(text)
    if hint == Bytes:
        return size(text)
    if hint is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else _unfit(text)
    if hint is types.NoneType:
        return None if text == "none" else _unfit(text)
    return hint(text)


def _unfit(text: str) -> Any:
    raise Unfit(text)


def size(text: str) -> int:
    """A number of bytes as text: 4096, 64KB, 1.5MB."""
    match = _SIZE.fullmatch(text)
    if match is None or (match[3] and not match[2]):
        raise Unfit(f"expected a size like 64KB, not {text}.")
    value = float(match[1]) * UNITS[f"{match[2].upper()}B"]
    if value != int(value):
        raise Unfit(f"expected a whole number of bytes, not {text}.")
    return int(value)


def written(one: ModulePass, name: str) -> str:
    """A pass as text which reads back to it: `fuse-groups{max-ops=4}`, options at their default left out."""
    parts, hints = [], get_type_hints(type(one), include_extras=True)
    for option, f in declared(type(one)).items():
        value = getattr(one, f.name)
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if value != default:
            text = value_text(value, Bytes in (hints[f.name], *get_args(hints[f.name])))
            parts.append(option if value == () else f"{option}={text}")
    return f"{quoted(name)}{{{' '.join(parts)}}}" if parts else quoted(name)


def value_text(value: Any, in_bytes: bool = False) -> str:
    """A value of an option as it is written; a size in the largest unit that is exact."""
    if isinstance(value, tuple):
        return ",".join(value_text(v, in_bytes) for v in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if in_bytes and value:
        unit = next(u for u in reversed(UNITS) if value % UNITS[u] == 0)
        return f"{value // UNITS[unit]}{unit}"
    return quoted(str(value))


def quoted(text: str) -> str:
    """A word as it is, any other text in quotes."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
