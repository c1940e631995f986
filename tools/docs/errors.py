"""The page of errors, from the pages `dnnc explain` prints."""

from __future__ import annotations

from collections.abc import Iterator

from dnnc.errors import RANGES, explain, titles
from tools.docs.markdown import page, table


def index() -> str:
    """How many codes each range has, and the first of them."""
    rows = []
    for start, what in RANGES.items():
        codes = [code for code in titles() if code.startswith(start)]
        rows.append([f"[{codes[0]}](#{codes[0].lower()}) to {codes[-1]}", what, len(codes)])
    return table(["codes", "about", "kinds"], rows)


def one_range(start: str, what: str) -> Iterator[str]:
    """A range: its codes with their titles, then the page of each."""
    yield f"## {what}"
    chosen = {code: title for code, title in titles().items() if code.startswith(start)}
    yield table(["code", "what is wrong"], ([f"[{code}](#{code.lower()})", title] for code, title in chosen.items()))
    for code, title in chosen.items():
        body = explain(code).partition("\n\n")[2].strip()
        for part in ("Example", "What to do"):
            body = body.replace(f"\n## {part}\n", f"\n**{part}**\n", 1)
        yield f"### {code}\n\n**{title[0].upper()}{title[1:]}.** {body}"


def text() -> str:
    """The page."""
    return page(
        "Errors",
        "`tools/dnnc/errors/`",
        "Every message ends in the code of its kind. `dnnc explain E0301` prints the page of one, `dnnc explain` lists them; "
        "each example is run by the tests.",
        index(),
        *(part for start, what in RANGES.items() for part in one_range(start, what)),
    )
