"""The page of the language and the editors' grammars say what the language is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnnc.frontend.dsl import parse_dnn
from dnnc.frontend.dsl.constants import NOTES
from dnnc.frontend.dsl.evaluate import QUESTIONS, WORDS
from dnnc.frontend.dsl.files import prelude
from dnnc.frontend.dsl.initialisers import INITIALISERS
from dnnc.frontend.dsl.syntax import KEYWORDS
from dnnc.ir.context import make_context
from dnnc.ir.types import element_names

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "dnn-language.md").read_text()
SYNTAXES = ROOT / "editors" / "vscode" / "syntaxes"
DNN, IR = (json.loads((SYNTAXES / f"{n}.tmLanguage.json").read_text()) for n in ("dnn", "dnnc-ir"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", blocks("dnn"))
def test_examples_on_the_page_are_networks(text: str):
    parse_dnn(text, make_context(), "page.dnn")


def test_the_grammar_on_the_page_is_the_grammar():
    (rules,) = blocks("lark")
    assert rules in (ROOT / "frontend" / "dsl" / "grammar.lark").read_text()


def test_the_page_names_everything():
    calls = [f"{name}(" for name in (*INITIALISERS, *QUESTIONS, *prelude().functions, "const", "load")]
    words = [f"`{w}`" for w in (*WORDS, *element_names())]
    statements = [f"`{k} " for k in KEYWORDS if k != "return"]
    for wanted in (*calls, *words, *statements, *(f"{{{n}" for n in NOTES)):
        assert wanted in PAGE, wanted


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def patterns(node: Any) -> Iterator[str]:
    """Every regular expression of a TextMate grammar."""
    if isinstance(node, dict):
        yield from (node[k] for k in ("match", "begin", "end") if isinstance(node.get(k), str))
        for value in node.values():
            yield from patterns(value)
    elif isinstance(node, list):
        for value in node:
            yield from patterns(value)


@pytest.mark.parametrize("grammar", [DNN, IR], ids=["dnn", "ir"])
def test_textmate_grammars_are_sound(grammar: dict[str, Any]):
    assert all(re.compile(p) for p in patterns(grammar))
    included = {p["include"].removeprefix("#") for p in grammar["patterns"]}
    assert included == set(grammar["repository"])


def scopes(grammar: dict[str, Any], line: str) -> dict[str, str]:
    """Scope of each piece of a line: at each place the first rule that matches there, as a TextMate engine does."""
    rules = [r for p in grammar["patterns"] for r in _flat(grammar["repository"][p["include"][1:]])]
    found: dict[str, str] = {}
    at = 0
    while at < len(line):
        hits = [(m.start(), i, m) for i, r in enumerate(rules) if (m := _search(r, line, at)) and m.end() > m.start()]
        if not hits:
            break
        _, i, m = min(hits, key=lambda h: h[:2])
        if "name" in rules[i]:
            found[m[0]] = rules[i]["name"]
        for group, capture in rules[i].get("captures", {}).items():
            if m[int(group)] is not None:
                found[m[int(group)]] = capture["name"]
        at = m.end()
    return found


def _flat(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule] if "match" in rule or "begin" in rule else [r for p in rule["patterns"] for r in _flat(p)]


def _search(rule: dict[str, Any], line: str, at: int) -> re.Match[str] | None:
    pattern = rule["match"] if "match" in rule else rf"{rule['begin']}(?:[^\"\\]|\\.)*?(?:{rule['end']})"
    return re.compile(pattern).search(line, at)


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_keywords_are_coloured(keyword: str):
    line = KEYWORDS[keyword]
    assert scopes(DNN, line)[keyword].startswith(("keyword.", "storage.")), line
    assert scopes(DNN, f"y = relu({keyword})")[keyword] == "variable.other.dnn"


def test_a_layer_is_coloured():
    found = scopes(DNN, 'y1 = conv(x, he(f32[4, 3]), bias=none, pad=same)  # "no" string')
    assert found["y1"] == found["x"] == "variable.other.dnn"
    assert found["conv"] == "entity.name.function.call.dnn" and found["he"] == "support.function.initialiser.dnn"
    assert found["f32"] == "storage.type.element.dnn" and found["4"] == "constant.numeric.dnn"
    assert found["bias"] == "variable.parameter.dnn" and found["none"] == "constant.language.dnn"
    assert found['# "no" string'] == "comment.line.number-sign.dnn"


@pytest.mark.parametrize("element", [*element_names()])
def test_element_types_are_coloured(element: str):
    assert scopes(DNN, f"input x: {element}[1]")[element] == "storage.type.element.dnn"


def test_ir_is_coloured():
    found = scopes(
        IR, '%y = dnn.conv %x, %w, bias(%b) window = <[3, 3], pad [1, 1]> : (tensor<1x3xf32>) -> i8 loc("c")'
    )
    assert found["dnn.conv"] == "entity.name.function.operation.dnnc-ir"
    assert found["%y"] == found["%b"] == "variable.other.value.dnnc-ir"
    assert found["window"] == found["bias"] == "variable.parameter.dnnc-ir"
    assert found["tensor"] == "storage.type.shaped.dnnc-ir" and found["1x3x"] == "constant.numeric.shape.dnnc-ir"
    assert found["i8"] == "storage.type.element.dnnc-ir" and found['"c"'] == "string.quoted.double.dnnc-ir"
    assert scopes(IR, "!q0 = !dnn.q<i8, 0.5, 0>")["!dnn.q"] == "storage.type.dialect.dnnc-ir"
