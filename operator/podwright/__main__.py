"""`python -m podwright`: the command line, for whoever has a Python but no script of it on PATH."""

from podwright.cli.main import main

if __name__ == "__main__":
    main()
