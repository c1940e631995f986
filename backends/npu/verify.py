"""The static verifier: what is wrong with a program, found without running its arithmetic.

Fields, bounds, token balance of every ordered pair of queues, deadlock by executing the queues abstractly, races, bytes that
are read before anything is written to them, and loads of what holds another value.
"""

from collections.abc import Mapping

import numpy as np

from dnnc.backends.npu.cost import costs
from dnnc.backends.npu.encoding import Decoded, Words, decode, header
from dnnc.backends.npu.faults import faults
from dnnc.backends.npu.footprint import Accesses, Memories, accesses, memories
from dnnc.backends.npu.isa import HALT, QUEUES
from dnnc.backends.npu.program import CONSTANT, Program, inconsistencies
from dnnc.backends.npu.queues import DeadlockError, Event, Load, Queues, limits, load
from dnnc.backends.npu.races import clocks, races
from dnnc.backends.npu.sequence import Stream, expand
from dnnc.backends.npu.stale import stale
from dnnc.backends.npu.unwritten import unwritten
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import Collector, DnncError, Finding


def verify(program: Program, arch: Accelerator) -> list[Finding]:
    """Every problem found, each with instruction, tag and layer; empty when the program is sound."""
    program.require(arch)
    try:
        stream = expand(program.text)
    except DnncError as error:
        return list(error.findings)
    return inconsistencies(program, arch) + _Verifier(program, arch, stream).findings()


def check(program: Program, arch: Accelerator) -> None:
    """Raise DnncError with every problem `verify` finds."""
    if found := verify(program, arch):
        raise DnncError(found)


class _Verifier:
    """One verification; the checks share the decoded stream."""

    def __init__(self, program: Program, arch: Accelerator, stream: Stream) -> None:
        self.program, self.arch, self.stream = program, arch, stream
        self.problems = Collector()

    def where(self, index: int) -> str:
        tag = int(header(self.stream.words[index], "tag"))
        return f"instruction {self.stream.origin[index]}, tag {self.program.tag(tag)}"

    def findings(self) -> list[Finding]:
        words = self.stream.words
        decoded, m = decode(words), memories(self.program, self.arch)
        found = faults(words, decoded, m)
        for index in sorted(found):
            self.problems.error(self.where(index), f"{found[index]}. Rebuild the program.", "E0820")
        packed = np.any(decoded["set.form"]["form"] > 0) if "set.form" in decoded else False
        if packed and not self.arch.array.bits_per_cycle:
            text = f"products of bytes were expected, {self.arch.name} has none of packed values"
            self.problems.error("program", f"{text}. Compile it for this target.", "E0820")
        if HALT.name not in decoded:
            self.problems.error("program", "a halt was expected, there is none. Add one at the end.", "E0821")
        work = load(words, decoded, costs(decoded, len(words), self.arch).cycles)
        self._balance(words)
        # in a race, and after a fault, what has been written by then is not known
        if self._runs(work) and not self._races(accesses(decoded, m), work, m.names) and not found:
            self._unwritten(decoded, m)
            for s in stale(self.program, words, decoded, m, self.events):
                self.problems.error(self.where(s.index), f"{s.text}. Store or copy the value there first.", "E0842")
        return self.problems.errors

    def _balance(self, words: Words) -> None:
        """Tokens given must equal tokens taken, or a later program starts with leftovers."""
        engine, wait, signal = (header(words, name) for name in ("engine", "wait", "signal"))
        for p in QUEUES:
            for q in QUEUES:
                gives = np.flatnonzero((engine == p) & (signal >> q & 1 == 1))
                takes = np.flatnonzero((engine == q) & (wait >> p & 1 == 1))
                if len(gives) != len(takes):
                    last = max([*gives[-1:], *takes[-1:]])
                    text = (
                        f"as many tokens from {p.name} to {q.name} were expected as are taken, not {len(gives)} given"
                    )
                    self.problems.error(
                        self.where(last), f"{text} and {len(takes)} taken. Correct wait or signal.", "E0822"
                    )

    def _runs(self, work: Load) -> bool:
        """Execute the queues without arithmetic; note the deadlock when there is one."""
        queues, self.events = Queues(work, limits(self.arch), self.where), list[Event]()
        try:
            while (event := queues.step()) is not None:
                self.events.append(event)
        except DeadlockError as error:
            self.problems.errors += error.findings
            return False
        return True

    def _unwritten(self, decoded: Mapping[str, Decoded], m: Memories) -> None:
        """Reads of bytes that nothing wrote, and outputs that nothing fills."""
        reads, outputs = unwritten(self.program, decoded, m, self.events)
        held = dict(zip(CONSTANT, (self.program.weights, self.program.parameters)))
        for r in reads:
            if (data := held.get(r.memory - m.on_chip)) is not None:
                text = f"{r.last} bytes of {m.names[r.memory]} were expected for {r.operand}, the program holds {len(data)}"
                todo = "Take them from a program that has them: dnnc asm --like X.npu"
                self.problems.error(self.where(r.index), f"{text}. {todo}.", "E0840")
                continue
            text = (
                f"bytes written before were expected for {r.operand}, {r.missing} of the {r.size} it reads are not: in"
            )
            place = f"[{r.first}, {r.last}) of {m.names[r.memory]}"
            self.problems.error(self.where(r.index), f"{text} {place}. Load or compute them first.", "E0840")
        for symbol, n in outputs:
            text = f"a program that writes all {symbol.bytes} bytes was expected, {n} of them are never written"
            self.problems.error(f"output {symbol.name!r}", f"{text}. Store them.", "E0840")

    def _races(self, a: Accesses, work: Load, names: tuple[str, ...]) -> int:
        """Note every race; how many there are."""
        found = races(a, clocks(self.events, work), work)
        for first, second, x, y in found:
            low, high = max(a.low[x], a.low[y]), min(a.high[x], a.high[y])
            uses = [f"{a.name(r)} ({'write' if a.write[r] else 'read'})" for r in (x, y)]
            self.problems.error(
                self.where(second),
                f"a token path from {self.where(first)} was expected: {uses[1]} and its {uses[0]} share bytes "
                f"[{low}, {high}) of {names[a.memory[x]]}. Add a signal and a wait.",
                "E0823",
            )
        return len(found)
