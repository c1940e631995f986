"""From the tree of a pipeline's text to its passes; everything wrong with the text is found in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.passes.pipeline import registry
from dnnc.passes.pipeline.custom import NotAPass
from dnnc.passes.pipeline.options import dashed, declared, options_text, read_options
from dnnc.passes.pipeline.places import Nowhere
from dnnc.passes.pipeline.syntax import Call, Definition, Entry, Option, Source, parse


@dataclass(frozen=True)
class Draft:
    """A pass to be made: its class, its options so far, where it is called."""

    kind: type[ModulePass]
    options: tuple[Option, ...]
    at: int


def passes_of(source: Source) -> list[ModulePass]:
    """The passes a pipeline's text names; DnncError lists every unknown name and wrong option."""
    builder = _Builder(source)
    drafts = builder.drafts(parse(source), {})
    passes = [one for d in drafts if (one := builder.made(d)) is not None]
    if builder.findings:
        ordered = sorted(builder.findings, key=lambda found: found[0])
        raise DnncError(dict.fromkeys(f for _, f in ordered))
    return passes


@dataclass
class _Builder:
    source: Source
    findings: list[tuple[int, Finding]] = field(default_factory=list)

    def drafts(self, entries: Sequence[Entry], outer: Mapping[str, list[Draft]]) -> list[Draft]:
        scope, found = dict(outer), list[Draft]()
        for entry in entries:
            if isinstance(entry, Definition):
                self.define(entry, scope)
            else:
                found += self.called(entry, scope)
        return found

    def define(self, entry: Definition, scope: dict[str, list[Draft]]) -> None:
        if entry.name in scope or self.find(entry.name, entry.at) is not None:
            self.note(entry.at, "", f"expected a new name, not '{entry.name}', which is taken.", "E0503")
        scope[entry.name] = self.drafts(entry.entries, scope)

    def called(self, call: Call, scope: Mapping[str, list[Draft]]) -> list[Draft]:
        found = scope[call.name] if call.name in scope else self.find(call.name, call.at)
        if found is None:
            if not any(at == call.at for at, _ in self.findings):
                self.note(call.at, "", registry.unknown(call.name, [*scope]), "E0502")
            return []
        if isinstance(found, type):
            return [Draft(found, call.options, call.at)]
        inner = [d if isinstance(d, Draft) else Draft(d, (), call.at) for d in found]
        for option in call.options:
            inner = self.given(call, option, inner)
        return inner

    def find(self, name: str, at: int) -> type[ModulePass] | registry.Kinds | None:
        """What a name stands for outside this text; notes what is wrong with a place."""
        try:
            return registry.find(name, self.source.folder)
        except (Nowhere, NotAPass, TypeError) as e:
            self.note(at, "", str(e), "E0506")
            return None

    def given(self, call: Call, option: Option, drafts: list[Draft]) -> list[Draft]:
        """The passes of a pipeline with one of its options: `quantize.rounding=..`, or `rounding=..` when one pass has it."""
        owner, _, name = dashed(option.name).rpartition(".")
        takers = {d.kind.name for d in drafts if name in declared(d.kind) and owner in ("", d.kind.name)}
        if len(takers) != 1:
            self.note(option.at, f"pipeline '{call.name}'", _unclear(option, takers, drafts), "E0503")
            return drafts
        plain = replace(option, name=name)
        return [_with(d, plain) if d.kind.name in takers else d for d in drafts]

    def made(self, draft: Draft) -> ModulePass | None:
        """The pass of a draft; None when something is wrong with its options."""
        values, wrong = read_options(draft.kind, draft.options)
        for at, message in wrong:
            text = f"{message} {options_text(draft.kind)}"
            self.note(draft.at if at is None else at, f"pass '{draft.kind.name}'", text, "E0503")
        if wrong:
            return None
        try:
            return draft.kind(**values)
        except DnncError as e:  # a rule of the pass itself
            self.findings += [(draft.at, f) for f in e.findings]
            return None

    def note(self, at: int, what: str, message: str, code: str) -> None:
        place = self.source.where(at)
        if what:
            place, message = (place, f"{what}: {message}") if self.source.file else (what, message)
        self.findings.append((at, Finding(place, message, code)))


def _with(draft: Draft, option: Option) -> Draft:
    kept = tuple(o for o in draft.options if dashed(o.name) != option.name)
    return replace(draft, options=(*kept, option))


def _unclear(option: Option, takers: set[str], drafts: Sequence[Draft]) -> str:
    name = dashed(option.name)
    if takers:
        ways = " or ".join(f"{t}.{name}" for t in sorted(takers))
        return f"expected an option of one of its passes, not {name}, which {len(takers)} have. Write {ways}."
    known = dict.fromkeys(f"{d.kind.name}.{n}" for d in drafts for n in declared(d.kind))
    return f"expected an option of one of its passes, not {name}. " + (
        f"Options: {', '.join(known)}." if known else "Its passes have no options."
    )
