"""`python -m dnnc` is the `dnnc` command."""

from dnnc.cli import main

if __name__ == "__main__":
    main()
