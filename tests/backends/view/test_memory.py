"""The picture and the page of memory spaces."""

import json
from xml.etree import ElementTree

import pytest

from dnnc.backends.view.memory import MemoryMap, memory_map
from dnnc.ir.diagnostics import DnncError
from dnnc.passes.analysis.allocation import Buffer
from dnnc.passes.analysis.spaces import Occupant, space

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn() -> MemoryMap:
    """Two spaces, one with a capacity; a name that would end a script."""
    occupants = Occupant("</script>", 48, 0, 1, 0, 24), Occupant("b", 16, 1, 2, 0)
    asked = [Buffer(i, o.size, o.start, o.end) for i, o in enumerate(occupants)]
    spaces = [
        space(n, c is not None, c, ("first", "second"), occupants, asked) for n, c in (("pad", 64), ("arena", None))
    ]
    return memory_map("net: memory of edge", spaces)


def test_every_buffer_is_a_box_that_says_who_it_is(drawn):
    root = ElementTree.fromstring(drawn.svg())
    panels = [g for g in root.iter(f"{SVG}g") if g.get("class") == "space"]
    hints = [t.text for t in panels[0].iter(f"{SVG}title")]
    assert len(panels) == 2
    assert hints == ["</script>: 48 bytes at 0, during first", "b: 16 bytes at 0, during second"]


def test_boxes_lie_by_offset_and_step(drawn):
    boxes = [
        r for r in ElementTree.fromstring(drawn.svg()).iter(f"{SVG}rect") if (r.get("class") or "").startswith("hue")
    ]
    first, second = boxes[:2]
    assert float(first.get("height", 0)) == 3 * float(second.get("height", 0))
    assert float(first.get("x", 0)) + float(first.get("width", 0)) == float(second.get("x", 0))


def test_a_long_name_is_shown_by_its_ends():
    name = f"{'model/' * 30}conv.weight"
    occupants = [Occupant(name, 64, 0, 2, 0)]
    svg = memory_map("net", [space("pad", True, 64, ("first", "second"), occupants, [Buffer(0, 64, 0, 2)])]).svg()
    labels = [t.text or "" for t in ElementTree.fromstring(svg).iter(f"{SVG}text") if t.get("class") == "label"]
    assert len(labels) == 1 and labels[0].startswith("model/") and labels[0].endswith(".weight") and "…" in labels[0]


def test_the_capacity_is_drawn_where_there_is_one(drawn):
    lines = [p for p in ElementTree.fromstring(drawn.svg()).iter(f"{SVG}path") if p.get("class") == "limit"]
    assert len(lines) == 1


def test_the_page_holds_its_data_and_nothing_ends_the_script(drawn):
    page = drawn.html()
    data = page.partition('type="application/json">')[2].partition("</script>")[0]
    assert json.loads(data)["spaces"][0]["buffers"][0]["label"] == "</script>"
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "what would lower it" in page


def test_files_by_their_ending(drawn, tmp_path):
    for ending in ("svg", "html", "json"):
        drawn.save(tmp_path / f"m.{ending}")
        assert (tmp_path / f"m.{ending}").stat().st_size > 500
    with pytest.raises(DnncError, match="E0906"):
        drawn.save(tmp_path / "m.png")
