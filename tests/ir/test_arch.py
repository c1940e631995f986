import tomllib
from dataclasses import replace

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.parser import Parser

from dnnc.backends.npu.catalog import FOLDER, bundled, load_target
from dnnc.ir import arch
from dnnc.ir.diagnostics import DnncError

EDGE = (FOLDER / "edge.toml").read_text()


def problems(text: str) -> list[str]:
    with pytest.raises(DnncError) as caught:
        arch.parse(text, "my.toml")
    return [str(f) for f in caught.value.findings]


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_target_reads_and_is_named_as_its_file(name):
    target = load_target(name)
    assert target.name == name
    assert {role for m in target.memory for role in m.holds} == set(arch.ROLES)


def test_the_default_target_is_what_its_description_says():
    edge = load_target()
    assert (edge.array.rows, edge.array.columns, edge.array.dataflow) == (16, 16, "weight-stationary")
    assert edge.holding("input").bytes == edge.holding("weight").bytes == 256 * 1024
    assert edge.holding("accumulator").bytes == 64 * 1024
    assert edge.dma.channels == 1


@pytest.mark.parametrize("name", bundled())
@pytest.mark.parametrize("generic", [False, True])
def test_the_attribute_prints_and_parses_back(name, generic):
    ctx = Context()
    ctx.load_dialect(Builtin)
    ctx.load_dialect(arch.Arch)
    module = ModuleOp([], {arch.MODULE_ATTRIBUTE: arch.AcceleratorAttr(load_target(name))})
    text = str(module)
    again = Parser(ctx, text, "x.mlir").parse_module()
    assert arch.of_module(again) == load_target(name)
    assert arch.of_module(again).digest == load_target(name).digest
    assert str(again) == text


def test_odd_texts_and_numbers_survive_the_round_trip():
    edge = load_target()
    odd = replace(edge, description='a "b" \\ c\nd', energy=replace(edge.energy, mac_pj=1e-5, dram_byte_pj=1e5 + 1 / 3))
    ctx = Context()
    ctx.load_dialect(arch.Arch)
    assert Parser(ctx, str(arch.AcceleratorAttr(odd)), "x").parse_attribute() == arch.AcceleratorAttr(odd)


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(EDGE)
    assert load_target(str(path)) is load_target(str(path))
    path.write_text(EDGE.replace("bytes = 262144", "bytes = 131072"))
    assert load_target(str(path)).holding("input").bytes == 131072


def test_the_digest_changes_with_any_fact():
    edge = load_target()
    assert replace(edge, clock_mhz=501).digest != edge.digest
    assert replace(edge, dma=replace(edge.dma, setup_cycles=17)).digest != edge.digest


def test_mapping_round_trip():
    edge = load_target()
    assert arch.from_mapping(arch.to_mapping(edge), "x") == edge
    assert arch.to_mapping(edge) == tomllib.loads(EDGE)


def test_a_value_with_a_default_may_be_left_out():
    eyeriss = load_target("eyeriss")
    assert "pe_sum_bytes" not in EDGE
    assert (load_target().array.pe_sum_bytes, eyeriss.array.pe_sum_bytes) == (0, 48)
    assert arch.from_mapping(arch.to_mapping(eyeriss), "x") == eyeriss


def test_all_problems_are_listed_with_path_expected_got_and_remedy():
    text = EDGE.replace("rows = 16", "rows = 0").replace("setup_cycles = 16", "setup_cycle = 16")
    text = text.replace('dataflow = "weight-stationary"', 'dataflow = "weights"').replace("clock_mhz = 500\n", "")
    assert problems(text) == [
        "my.toml: clock_mhz: a value (clock frequency) was expected, not nothing. Add `clock_mhz = ...`. [E0605]",
        "my.toml: array.rows: an integer in [1, 4096] was expected, not 0. "
        "It is: processing elements along the reduction (input channels x kernel taps). [E0606]",
        "my.toml: array.dataflow: one of weight-stationary, output-stationary, adder-tree, row-stationary was expected, "
        "not 'weights'. It is: which operand stays in the array. [E0606]",
        "my.toml: dma.setup_cycle: one of the keys channels, setup_cycles, burst_bytes, bytes_per_cycle, decoders, "
        "constant_bytes_per_cycle, spill_bytes_per_cycle, decoded_bytes_per_cycle was expected, not 'setup_cycle'. "
        "Did you mean 'setup_cycles'? [E0604]",
        "my.toml: dma.setup_cycles: a value (cycles before the first byte of a transfer) was expected, not nothing. "
        "Add `setup_cycles = ...`. [E0605]",
    ]


def test_each_role_lives_in_exactly_one_memory():
    assert problems(EDGE.replace('holds = ["parameter"]', 'holds = ["weight"]')) == [
        "my.toml: memory: exactly one memory that holds 'weight' was expected, not 2 (scratchpad, parameter). "
        "Correct the `holds` lists. [E0607]",
        "my.toml: memory: exactly one memory that holds 'parameter' was expected, not 0. Correct the `holds` lists. [E0607]",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[dma]", "[dma", "my.toml: valid TOML was expected: "),
        ('decoders = ["dense"]', 'decoders = "dense"', "a list of strings with at least one entry was expected"),
        ('decoders = ["dense"]', 'decoders = ["zip"]', "my.toml: dma.decoders[0]: one of dense, bitmask"),
        ("lanes = 16\nsetup_cycles = 8", "lanes = true\nsetup_cycles = 8", "ppu.lanes: an integer in [1, 4096]"),
        ("mac_pj = 0.3", 'mac_pj = "0.3"', "energy.mac_pj: a number in [0, 1000000.0] was expected, not '0.3'"),
        ("clock_mhz = 500", "clock_mhz = 500.5", "clock_mhz: an integer in [1, 100000] was expected, not 500.5"),
    ],
)
def test_a_wrong_value_is_located(old, new, message):
    assert old in EDGE
    assert message in problems(EDGE.replace(old, new, 1))[0]


def test_unknown_target_names_the_nearest():
    with pytest.raises(DnncError, match=r"not 'egde'\. Did you mean edge\?"):
        load_target("egde")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DnncError, match="does not exist"):
        load_target(str(tmp_path / "none.toml"))


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "my.toml").write_bytes(b'name = "gr\xf6\xdfe"')
    with pytest.raises(DnncError, match=r"my\.toml: expected UTF-8 text, not the byte at 10\. .* \[E0106\]"):
        arch.read(tmp_path / "my.toml")


def test_a_target_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(EDGE.replace('"edge"', '"mine"', 1).replace("rows = 16", "rows = 32"))
    assert load_target(str(path)).array.rows == 32


def test_module_without_target():
    with pytest.raises(DnncError, match=r"an attribute 'arch\.target' was expected, not None\. Choose a target"):
        arch.of_module(ModuleOp([]))
