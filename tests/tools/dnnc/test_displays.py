"""What notebooks show of networks, programs, reports and traces."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import dnnc
from dnnc.backends.npu.program import Program as NpuFile
from dnnc.backends.npu.program import Region, Symbol, Tag
from dnnc.backends.npu.timeline import busy_parts
from dnnc.backends.npu.trace import COLUMNS, Trace

MODELS = Path(__file__).parents[2] / "models"
SAMPLES = str(MODELS / "digits_calibration.npz")


@pytest.fixture(scope="module")
def programs() -> dict[str, dnnc.Program]:
    lenet = dnnc.load(MODELS / "lenet5.onnx")
    made = {emit: dnnc.compile(lenet, emit=emit, calibrate=SAMPLES) for emit in ("npu", "c", "ir")}
    made["npu"].run(np.load(MODELS / "digits_test.npz")["x"][:1])
    return made


def well_formed(html: str) -> ET.Element:
    """The root of a fragment that is XML, as what dnnc shows is."""
    return ET.fromstring(f"<all>{html}</all>")


def cells(html: str) -> dict[str, str]:
    """The figures of a table of facts by their names."""
    return {row[0].text or "": row[1].text or "" for row in well_formed(html).iter("tr")}


@pytest.mark.parametrize("emit", ["npu", "c", "ir"])
def test_a_program_says_what_save_writes(programs, emit, tmp_path):
    program = programs[emit]
    said = cells(program._repr_html_())
    for path in program.save(tmp_path / f"lenet5.{emit if emit != 'ir' else 'mlir'}"):
        if path.suffix != ".safetensors":
            assert said[f"file {path.name}"] == f"{path.stat().st_size:,}"
    assert "input data" in said and "output ip2" in said


def test_program_as_shown(program, golden):
    """A program made by hand, so that the text stays as the compiler changes."""
    text = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> { func.return %x : tensor<2xf32> }"
    symbols = Symbol("a<b>", "input", 2, 0, (1, 4), "int8"), Symbol("y", "output", 3, 0, (), "float32")
    regions = Region("weights", 1600), Region("inputs", 16)
    npu = NpuFile("toy", "", np.zeros((3, 8), np.uint32), b"w" * 1600, regions=regions, symbols=symbols)
    made = dnnc.Program(dnnc.Network(*program(text), "net&"), "npu", "toy", npu=npu)
    golden.check("program.html", made._repr_html_())


def test_trace_as_shown(golden):
    """Two layers that overlap on three engines."""
    rows = {
        "start": [0, 10, 20, 12, 40],
        "end": [10, 40, 50, 20, 60],
        "tag": [0, 0, 0, 1, 1],
        "engine": [0, 1, 3, 0, 1],
    }
    rows |= {
        "bytes": [64, 0, 32, 16, 0],
        "macs": [0, 900, 0, 0, 20],
        "stall": [0, 2, 0, 0, 2],
        "stall_cycles": [0, 9, 0, 0, 5],
    }
    columns = {k: np.array(rows.get(k, range(5) if k == "index" else [0] * 5), kind) for k, kind in COLUMNS.items()}
    golden.check("trace.html", Trace(columns, (Tag("first<1>"), Tag("second")), "toy", 100)._repr_html_())


@pytest.mark.parametrize("of", ["report", "trace"])
def test_tables_are_complete(programs, of):
    thing = getattr(programs["npu"], of)()
    html = thing._repr_html_()
    root = well_formed(html)
    rows = thing.rows if of == "report" else thing.summary()
    assert len(root.findall(".//tbody/tr")) >= len(rows)
    assert not re.search(r"<script|href=|src=|on\w+=", html)


def test_no_display_sets_colours_of_the_page(programs):
    """Tables take those of the notebook; only pictures have a background, which is their own."""
    html = programs["npu"].report()._repr_html_() + programs["npu"]._repr_html_()
    assert set(re.findall(r"(?:color|background): ([^;]+);", html)) == {"inherit", "transparent"}


def test_the_timeline_shows_every_layer_and_engine(programs):
    picture = ET.fromstring(programs["npu"].trace().svg())
    svg = "{http://www.w3.org/2000/svg}"
    titles = [t.text or "" for t in picture.iter(f"{svg}title")]
    trace = programs["npu"].trace()
    for layer in trace.summary():
        assert any(t.startswith(f"{layer['layer']}: cycles {layer['start']:,} to {layer['end']:,}") for t in titles)
    for engine in ("ld", "mm", "ppu", "st"):
        assert sum(t.startswith(f"{engine}: busy") for t in titles) == 1
    width = float(picture.attrib["width"])
    assert all(0 <= float(r.get("x", 0)) + float(r.attrib["width"]) <= width for r in picture.iter(f"{svg}rect"))


def test_an_empty_trace_is_drawn(programs):
    trace = programs["npu"].trace()
    none = trace.where(np.zeros(len(trace), bool))
    assert well_formed(none._repr_html_()) is not None


def test_busy_parts_are_exact():
    start, end = np.array([6, 0, 3]), np.array([8, 2, 4])
    assert busy_parts(start, end, 8, 8).tolist() == [1, 1, 0, 1, 0, 0, 1, 1]
    assert busy_parts(start, end, 8, 2).tolist() == [0.75, 0.5]
    assert busy_parts(np.array([1]), np.array([3]), 4, 2).tolist() == [0.5, 0.5]
    assert busy_parts(start[:0], end[:0], 8, 2).tolist() == [0, 0]
