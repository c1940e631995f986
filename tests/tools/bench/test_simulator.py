"""The table of what compiling and simulating takes has a figure in every column."""

import pytest

from tools.bench.simulator import COLUMNS, measured, row


@pytest.mark.full
def test_a_network_has_a_figure_in_every_column():
    figures = measured("lenet5", "edge")
    assert len(row("lenet5", figures)) == len(COLUMNS)
    assert 0 < figures["search"] <= figures["compile_cpu"]
    assert figures["macs"] == 2_293_000 and figures["cycles"] > 0 and figures["instructions"] > 0
