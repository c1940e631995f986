"""Operations of other packages: a dialect beside `dnn`, and the rules by which operators of an ONNX domain become operations.

The package's entry point in the group `dnnc.operators` has the dialect's name and leads to a `Domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from xdsl.ir import Dialect
from xdsl.irdl import IRDLOperation

from dnnc.ir.dnn import OPS
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import Elementwise
from dnnc.ir.plugins import Group, Origin, Rejected, brief

Rules = Mapping[str, Callable[[Any], Any]]

OWN = ("dnn", "sched", "arch", "func", "builtin")
DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Domain:
    """Operations a package adds, and how ONNX operators become them.

    `onnx_rules()` gives the rules of the operators of `onnx_domain`, as in `frontend/onnx/table.py`; it is called only when a
    model has such an operator, so that what it imports costs nobody else.
    """

    operations: Sequence[type[DnnOp]]
    onnx_domain: str = ""
    onnx_rules: Callable[[], Rules] | None = None


def _accepted(name: str, thing: Any) -> Domain:
    if not isinstance(thing, Domain):
        raise Rejected(
            f"expected a dnnc.ir.dnn.domains.Domain, not {type(thing).__name__}. Let the entry point name one."
        )
    for op in thing.operations:
        if not (isinstance(op, type) and issubclass(op, DnnOp) and isinstance(vars(op).get("name"), str)):
            raise Rejected(
                f"expected classes of operations derived from DnnOp, not {op!r}. Decorate it with irdl_op_definition."
            )
        if not op.name.startswith(f"{name}."):
            raise Rejected(
                f"expected operations named {name}.something, not {op.name}. Give dialect and entry point one name."
            )
        if missing := _missing(op):
            raise Rejected(f"expected {missing} in the operation {op.name}, found none. Define it.")
    if len({op.name for op in thing.operations}) < len(thing.operations):
        raise Rejected("expected each operation once. Take the second of the same name out.")
    if thing.onnx_rules is not None and thing.onnx_domain in DEFAULT_DOMAINS:
        raise Rejected("expected the name of an ONNX domain of its own, not ONNX's. Set onnx_domain.")
    return thing


def _missing(op: type[DnnOp]) -> str | None:
    """What an operation needs and does not define; None when it is whole."""
    if not vars(op).get("__doc__"):
        return "a docstring, its meaning in a sentence,"
    if issubclass(op, Elementwise):
        whole = op.scalar is not Elementwise.scalar or op.evaluate is not Elementwise.evaluate
        return None if whole else "the method scalar"
    unwritten = [m for m in ("infer", "evaluate") if getattr(op, m) is getattr(DnnOp, m)]
    return f"the methods {' and '.join(unwritten)}" if unwritten else None


DOMAINS = Group("dnnc.operators", _accepted, lambda: OWN)


def operation(name: str) -> type[DnnOp] | None:
    """The operation a package adds by its whole name, `acme.hard_swish6`."""
    domain = DOMAINS.get(name.partition(".")[0]) if "." in name else None
    return next((op for op in domain.operations if op.name == name), None) if domain else None


def dialect(name: str) -> Dialect | None:
    """The dialect a package adds."""
    domain = DOMAINS.get(name)
    return Dialect(name, list(domain.operations)) if domain else None


def operations() -> list[tuple[type[IRDLOperation], Origin | None]]:
    """Every operation, those of packages last, with the package each comes from."""
    added = [(op, DOMAINS.origin(name)) for name, domain in DOMAINS.all().items() for op in domain.operations]
    return [*((op, None) for op in OPS), *added]


def onnx_rules(domain: str) -> Rules:
    """The rules packages give for the operators of an ONNX domain; what raises in one is told as its package's fault."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name, one in DOMAINS.all().items():
        if one.onnx_domain == domain and one.onnx_rules is not None:
            rules = _rules(name, one.onnx_rules)
            if twice := sorted(found.keys() & rules.keys()):
                todo = "Uninstall one of the two."
                DOMAINS.refuse(
                    name, f"expected operators of {domain} nobody else has, not {', '.join(twice)}. {todo}", "E0522"
                )
                continue
            found |= {op: partial(_blaming, DOMAINS.origin(name), rule) for op, rule in rules.items()}
    return found


def _rules(name: str, make: Callable[[], Rules]) -> Rules:
    try:
        return dict(make())
    except Exception as e:
        DOMAINS.refuse(name, f"expected rules for ONNX operators, not {brief(e)}. Report it to the package.", "E0520")
        return {}


class RuleFailed(Exception):
    """A package's rule raised something that is no message to the user."""


def _blaming(origin: Origin, rule: Callable[[Any], Any], site: Any) -> Any:
    try:
        return rule(site)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError) as e:
        raise RuleFailed(f"its rule in {origin} raised {brief(e)}. Report it to the package.") from e
