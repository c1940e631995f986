"""The bench's recurrent networks are what their names say, and executors agree on one in both directions."""

import pytest

from dnnc import api
from tools.bench.agreement import compare, drawn, loops
from tools.bench.recurrent import network, networks


def test_every_kind_and_direction_is_a_loop():
    names = [name for name, _ in networks()]
    assert len(set(names)) == 9
    assert all(loops(api.load(model)) for _, model in networks())


@pytest.mark.full
def test_executors_agree_on_a_bidirectional_layer():
    row = compare(drawn("gru", api.load(network("GRU", "bidirectional"))), ("edge",), (1,))
    assert row.differing == {"c": 0, "edge": 0} and row.elements == 368
