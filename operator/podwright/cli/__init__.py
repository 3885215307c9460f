"""The `podwright` command, which is also the kubectl plugin `kubectl podwright`.

Must not contain logic that another caller could want: it reads arguments, calls the layers below and prints. Imports of
anything slow belong into the function that needs them, because `podwright --help` should answer at once.
"""
