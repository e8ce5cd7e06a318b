"""Measurements through the real code, each as `python -m bench.NAME [--json] [--quick]`.

`docs/performance.md` says what each one measures, and shows the last figures. `bench.peer` is the client that they use.
"""
