"""Programs as text, with their weights beside them: parse, print, load, save."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import UNKNOWN_LOC, FileLineColLoc, IntAttr, MemRefType, ModuleOp, StringAttr, TensorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.lexer import Span

from dnnc.ir.codes import Code
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import BrokenRule, DnncError, Finding, rule_code, where
from dnnc.ir.dnn.attributes import Key
from dnnc.ir.dnn.domains import dialect
from dnnc.ir.types import Quantized, QuantType
from dnnc.ir.weights import WeightStore, atomic_file, is_device, store_of


@dataclass
class CodedError(ParseError):
    """What the parser refuses for a reason of ours; xDSL's own reasons are all E0401."""

    code: str


class LocatingParser(Parser):
    """xDSL's parser, giving each operation without a location that of its text, and each refusal a place."""

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        try:
            return super().parse_module(allow_implicit_module)
        except VerifyException as e:  # an attribute refused while it was built: it ends before the token read next
            end = len(self.lexer.input.content[: self.pos].rstrip())
            raise CodedError(Span(end - 1, end, self.lexer.input), str(e), rule_code(e)) from e

    def _get_op_by_name(self, name: str) -> type[Operation]:
        try:
            return super()._get_op_by_name(name)
        except ParseError:
            if (
                added := dialect(name.partition(".")[0])
            ) is not None and added.name not in self.ctx.registered_dialect_names:
                self.ctx.load_dialect(added)
                return self._get_op_by_name(name)
            at = self.lexer.input.content.rfind(name, 0, self.pos)  # the name is read already
            known = [op.name for op in self.ctx.loaded_ops]
            near = difflib.get_close_matches(name, known, 3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            message = f"expected a known operation, not '{name}'.{hint}"
            raise CodedError(Span(at, at + len(name), self.lexer.input), message, "E0402") from None

    def parse_operation(self) -> Operation:
        start = self._current_token.span
        op = super().parse_operation()
        if op.location == UNKNOWN_LOC:
            line, column = _line_column(start.input.content, start.start)
            op.location = FileLineColLoc(StringAttr(start.input.name), IntAttr(line), IntAttr(column))
        return op


# A comment, or a string as xDSL reads it; possessive, since xDSL's own pattern takes exponential time on one left open.
_QUOTED = re.compile(r'//[^\n]*|"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+("?)')


def _check_strings(text: str, name: str) -> None:
    for found in _QUOTED.finditer(text):
        if found[0].startswith('"') and not found[1]:
            todo = r"Close it on its line; its escapes are \n, \t, \\ and two hex digits."
            fact = f"expected a string with a closing quote, not {found[0][:40]}. {todo}"
            raise DnncError(Finding(_place(name, text, found.start()), fact, "E0401"))


def parse(ctx: Context, text: str, name: str = "module") -> ModuleOp:
    """Parse and verify a module; every failure is a located DnncError."""
    _check_strings(text, name)
    try:
        module = LocatingParser(ctx, text, name).parse_module()
    except ParseError as e:
        code = e.code if isinstance(e, CodedError) else "E0401"
        raise DnncError(Finding(_place(name, text, e.span.start), e.msg, code)) from e
    except ValueError as e:  # names xDSL's own classes refuse
        first = str(e.args[0] if e.args else e).splitlines()[0]
        raise DnncError(
            Finding(name, f"expected names of values and blocks as in the printed form, not this: {first}", "E0401")
        ) from e
    verify(module)
    return module


def _line_column(text: str, at: int) -> tuple[int, int]:
    before = text[:at]
    return before.count("\n") + 1, at - before.rfind("\n")


def _place(name: str, text: str, at: int) -> str:
    line, column = _line_column(text, at)
    return f"{name}:{line}:{column}"


def verify(module: ModuleOp) -> None:
    """Verify every operation, and that no value is used before it is made."""
    try:
        module.verify()
    except VerifyException as e:
        raise DnncError(Finding(_culprit(module), str(e).splitlines()[0], _code(e))) from e
    _check_order(module)


def _code(error: BaseException | None) -> str:
    """The code of the rule that failed first: xDSL raises its own error from ours."""
    while error is not None and not isinstance(error, BrokenRule):
        error = error.__cause__
    return rule_code(error)


def _culprit(module: ModuleOp) -> str:
    """Where the first operation is that does not verify on its own."""
    for op in module.walk():
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException:
            return where(op.location, op.name)
    return "module"


def _check_order(module: Operation) -> None:
    seen: set[SSAValue] = set()

    def visit(block: Block) -> None:
        seen.update(block.args)
        for op in block.ops:
            for v in op.operands:
                if v not in seen:
                    raise DnncError(
                        Finding(
                            where(op.location, op.name),
                            f"'{op.name}' expected a value made before it, not after. Move it down.",
                            "E0404",
                        )
                    )
            for region in op.regions:
                for inner in region.blocks:
                    visit(inner)
            seen.update(op.results)

    for region in module.regions:
        for block in region.blocks:
            visit(block)


def text_of(module: ModuleOp, generic: bool = False, locations: bool = False) -> str:
    """The module as text; with `locations`, node names and file positions are written behind each operation.

    Quantized types with many scales or values are long: each is written once, as an alias before the module.
    """
    out = StringIO()
    Printer(out, print_generic_format=generic, print_debuginfo=locations).print_op(module)
    body, aliases = out.getvalue(), []
    for i, type_ in enumerate(_long_types(module)):
        aliases.append(f"!q{i} = {type_}\n")
        body = body.replace(str(type_), f"!q{i}")
    return "".join(aliases) + body + "\n"


def _long_types(module: ModuleOp) -> list[Quantized]:
    found: dict[Quantized, None] = {}
    for op in module.walk():
        values = [*op.results, *(a for r in op.regions for b in r.blocks for a in b.args)]
        for v in values:
            element = v.type.element_type if isinstance(v.type, TensorType | MemRefType) else None
            if isinstance(element, Code) or (isinstance(element, QuantType) and element.axis is not None):
                found[element] = None
    return list(found)


def weight_keys(module: ModuleOp) -> list[str]:
    """Keys of the weight store that the module refers to, in order of their text."""
    keys = (p.data for op in module.walk() for p in op.properties.values() if isinstance(p, Key))
    return list(dict.fromkeys(keys))


def weights_path(path: Path) -> Path:
    """Where the weights of a program's text are kept: `net.mlir` has `net.safetensors` beside it."""
    return path.with_suffix(".safetensors")


def save(module: ModuleOp, ctx: Context, path: Path) -> None:
    """Write text and weights side by side, each atomically; no weights file when nothing refers to it, nor beside a device."""
    keys = weight_keys(module)
    if keys and not is_device(path):
        store_of(ctx).save(weights_path(path), keys)
    save_text(module, path)


def save_text(module: ModuleOp, path: Path) -> None:
    """Write the text alone, atomically."""
    with atomic_file(path) as f:
        f.write(text_of(module, locations=True).encode())


def load(path: Path) -> tuple[ModuleOp, Context]:
    """Read a program's text and, when it is there, the weights file beside it (memory-mapped)."""
    weights = weights_path(path)
    ctx = make_context(WeightStore.load(weights) if weights.exists() else None)
    return parse(ctx, read_text(path), path.name), ctx


def read_text(path: Path) -> str:
    """A UTF-8 text file; a located error when it is something else."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as e:
        message = f"expected UTF-8 text, not the byte at {e.start}. Give an .mlir file, or a model as .onnx."
        raise DnncError(Finding(str(path), message, "E0106")) from e
