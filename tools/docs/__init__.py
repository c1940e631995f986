"""Generators of the reference pages: each page is a function of the declarations it describes. `make docs` writes them."""
