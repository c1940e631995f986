import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def hand():
    """The hand-written two-layer program and its reference."""
    spec = importlib.util.spec_from_file_location("hand", Path(__file__).with_name("hand.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
