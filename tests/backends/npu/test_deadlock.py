"""The report of a deadlock names, for every queue that stands, who it waits for."""

import numpy as np
import pytest

from dnnc.backends.npu.asm import assemble
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.program import Program, Tag
from dnnc.backends.npu.queues import DeadlockError

CIRCLE = """
nop@ld wait=mm signal=mm
nop@mm wait=ld signal=ld,ppu tag=1
nop@ppu wait=mm signal=st tag=1
nop@st wait=ppu tag=2
halt
"""


def test_a_circle_of_tokens_is_told_queue_by_queue(golden):
    edge = load_target()
    tags = (Tag("conv1", "conv1", "0"), Tag("conv1", "conv1", "1"), Tag("pool1", "pool1", "0"))
    with pytest.raises(DeadlockError) as caught:
        Simulator(Program(edge.name, edge.digest, np.asarray(assemble(CIRCLE)), tags=tags)).run()
    golden.check("deadlock.txt", "\n".join(map(str, caught.value.findings)) + "\n")
