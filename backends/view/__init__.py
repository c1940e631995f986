"""Pictures of a network at any stage: a layered graph or a nest of loops, as SVG and as a page to look around in."""

from dnnc.backends.view.document import View, view

__all__ = ["View", "view"]
