import importlib.util
from pathlib import Path

import pytest


def _beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hand():
    """The hand-written two-layer program and its reference."""
    return _beside("hand")


@pytest.fixture(scope="session")
def nets():
    """Builders of quantized networks."""
    return _beside("nets")
