"""C kernels, one module per family of operations."""
