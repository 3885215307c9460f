"""Writes the generated sections of `docs/`, so that no page says what the code doesn't: `python -m podwright.cli.reference`.

`sections` puts them into the pages; every other module renders one of them from the code that it describes. Lives in
`cli` because it looks at all layers. Nothing imports it but its own entry point and tests.
"""
