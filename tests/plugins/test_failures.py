"""A package that is broken, wrong or in the way is told about and left out; dnnc goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import dnnc
from dnnc import cli, opt
from dnnc.backends.npu.catalog import load_target
from dnnc.ir.dnn import domains
from dnnc.ir.plugins import PluginWarning
from dnnc.passes.pipeline import parse
from dnnc.passes.pipeline.registry import PLUGINS

OPERATION = '''
from xdsl.irdl import irdl_op_definition
from dnnc.ir.dnn.domains import Domain
from dnnc.ir.dnn.elementwise import Unary
from dnnc.ir.dnn.base import DnnOp

@irdl_op_definition
class ThingOp(Unary):
    """y = x."""
    name = "NAME"
    BODY
'''
PASS = "from xdsl.passes import ModulePass\nclass thing(ModulePass):\n"
SCALAR = "def scalar(self, x): return x"


def operation(name: str = "bad.thing", body: str = SCALAR, domain: str = "Domain((ThingOp,))") -> str:
    return OPERATION.replace("NAME", name).replace("BODY", body) + f"\nDOMAIN = {domain}\n"


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            "import nothing_like_it",
            r"expected 'bad:thing' to import, not ModuleNotFoundError: No module named 'nothing_like_it' \(bad.py:1\). "
            r"Install what it needs, or take it out: pip uninstall bad-pack. \[E0520\]",
        ),
        ("def f(:", r"not SyntaxError: invalid syntax \(bad.py:1\)"),
        ("raise SystemExit(3)", r"not SystemExit: 3 \(bad.py:1\)"),
        ("other = 1", r"not AttributeError: module 'bad' has no attribute 'thing'"),
        ("thing = 3", r"expected a pass, a pattern, a function f\(module, ctx\), .*, not 3. \[E0521\]"),
        ("def thing(module): ...", r"expected a function thing\(module, ctx\), its options after a \*, not thing\(module\)."),
        (PASS + "  name = 'other'", r"expected a pass named 'bad-pass', not 'other'."),
        (PASS + "  ...", r"expected a name in class thing"),
        (PASS + "  name = 'bad-pass'\n  limit: int = 3", r"expected @dataclass\(frozen=True\) above class thing"),
    ],
)  # fmt: skip
def test_a_pass_that_is_none(install: Callable[..., object], module: str, message: str):
    install("bad-pack", "0.1", {"dnnc.passes": {"bad-pass": "bad:thing"}}, bad=module)
    with pytest.warns(PluginWarning, match=r"plug-in 'bad-pass' \(dnnc.passes\) of bad-pack 0.1: .*" + message):
        assert PLUGINS.all() == {}
    with pytest.raises(
        dnnc.DnncError, match=r"expected a pass or a pipeline, not 'bad-pass': bad-pack 0.1 was left out"
    ):
        parse("simplify,bad-pass")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("DOMAIN = 3", r"expected a dnnc.ir.dnn.domains.Domain, not int"),
        (operation(domain="Domain((3,))"), r"expected classes of operations derived from DnnOp, not 3"),
        (operation("worse.thing"), r"expected operations named bad.something, not worse.thing"),
        (operation(body=""), r"expected the method scalar in the operation bad.thing, found none"),
        (operation(domain="Domain((ThingOp, ThingOp))"), r"expected each operation once"),
        (operation(domain="Domain((ThingOp,), '', dict)"), r"expected the name of an ONNX domain of its own"),
    ],
)
def test_operations_that_are_none(install: Callable[..., object], module: str, message: str):
    install("bad-pack", "0.1", {"dnnc.operators": {"bad": "bad:DOMAIN"}}, bad=module)
    with pytest.warns(PluginWarning, match=r"plug-in 'bad' \(dnnc.operators\) of bad-pack 0.1: " + message):
        assert domains.dialect("bad") is None
    assert domains.operation("bad.thing") is None


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("T = '/nowhere/x.toml'", r"expected the path of a TOML file, not '/nowhere/x.toml'"),
        ("T = __file__", r"expected a target dnnc can read, not one with 1 mistakes"),
        ("from dnnc.backends.npu.catalog import FOLDER\nT = FOLDER / 'tiny.toml'", r"expected a target named 'bad', not 'tiny'"),
    ],
)  # fmt: skip
def test_a_target_that_is_none(install: Callable[..., object], module: str, message: str):
    install("bad-pack", "0.1", {"dnnc.targets": {"bad": "bad:T"}}, bad=module)
    with pytest.warns(PluginWarning, match=message), pytest.raises(dnnc.DnncError, match="not 'bad'"):
        load_target("bad")


@pytest.mark.parametrize(
    ("group", "name"),
    [("dnnc.passes", "cse"), ("dnnc.passes", "simplify"), ("dnnc.targets", "edge"), ("dnnc.operators", "dnn")],
)
def test_names_of_dnnc_stay_its_own(install: Callable[..., object], group: str, name: str):
    install("bad-pack", "0.1", {group: {name: "bad:thing"}}, bad="raise AssertionError")
    groups = {"dnnc.passes": PLUGINS, "dnnc.operators": domains.DOMAINS}
    from dnnc.backends.npu import catalog

    with pytest.warns(PluginWarning, match=f"expected a name that is free, not '{name}', which dnnc has"):
        assert groups.get(group, catalog.PLUGINS).all() == {}


def test_of_two_packages_the_first_by_name_has_it(install: Callable[..., object]):
    install("b-pack", "2", {"dnnc.passes": {"one": "b:one"}}, b="raise AssertionError")
    install("a-pack", "1", {"dnnc.passes": {"one": "a:one"}}, a="def one(module, ctx): ...")
    with pytest.warns(PluginWarning, match=r"of b-pack 2: expected a name that is free, not 'one', which a-pack 1 has"):
        assert PLUGINS.origin("one").package == "a-pack"


RULES = "Domain((ThingOp,), 'com.bad', lambda: {'Thing': RULE})"


def model() -> onnx.ModelProto:
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Thing", ["x"], ["y"], domain="com.bad", name="n")], "g", info[:1], info[1:]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("com.bad", 1)])


def test_a_rule_that_raises_is_its_packages_fault(install: Callable[..., object]):
    text = operation(domain=RULES.replace("RULE", "lambda site: site.nothing"))
    install("bad-pack", "0.1", {"dnnc.operators": {"bad": "bad:DOMAIN"}}, bad=text)
    with pytest.raises(
        dnnc.UnsupportedError, match=r"node 'n': com.bad.Thing .*its rule in bad-pack 0.1 raised AttributeError"
    ):
        dnnc.load(model())


def test_rules_that_do_not_come(install: Callable[..., object]):
    text = operation(domain=RULES.replace("{'Thing': RULE}", "1 / 0"))
    install("bad-pack", "0.1", {"dnnc.operators": {"bad": "bad:DOMAIN"}}, bad=text)
    refused = pytest.raises(dnnc.UnsupportedError, match=r"operators of the domain 'com.bad' are not supported")
    with pytest.warns(PluginWarning, match="expected rules for ONNX operators, not ZeroDivisionError"), refused:
        dnnc.load(model())


def test_two_domains_of_one_operator(install: Callable[..., object]):
    text = operation(domain=RULES.replace("RULE", "lambda site: site.operand(0)"))
    points = {"dnnc.operators": {"bad": "bad:DOMAIN", "bad2": "bad2:DOMAIN"}}
    install("bad-pack", "0.1", points, bad=text, bad2=text.replace("bad.thing", "bad2.thing"))
    with pytest.warns(PluginWarning, match="expected operators of com.bad nobody else has, not Thing"):
        dnnc.load(model())


def test_commands_that_do_not_need_it_go_on(install: Callable[..., object], capsys: pytest.CaptureFixture[str]):
    install("bad-pack", "0.1", {"dnnc.passes": {"bad-pass": "bad:thing"}}, bad="import nothing_like_it")
    assert cli.run(["passes"]) == 0
    out, err = capsys.readouterr()
    assert "fuse-groups" in out
    assert err.startswith("dnnc: warning: plug-in 'bad-pass' (dnnc.passes) of bad-pack 0.1: ") and err.count("\n") == 1
    mlir = str(Path(__file__).parent.parent / "passes" / "cse.mlir")
    assert opt.run([mlir, "-p", "cse"]) == 0
    assert capsys.readouterr().err == ""  # nobody asked for it
