"""The command of Airflow's long-running processes."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

VERSION = textwrap.dedent("""
    import atexit, gc, runpy, sys
    # Functions that are registered first run last.
    atexit.register(lambda: print("frozen", gc.get_freeze_count() > 10_000, flush=True))
    sys.argv = ["airflow", "version"]
    runpy.run_module("mxtvhf_airflow", run_name="__main__")
    print("threshold", gc.get_threshold()[0], flush=True)
""")


def test_airflows_command_runs_with_rarer_garbage_collection_and_none_at_its_end(beside_plugins):
    """Python's threshold cost a quarter of the start; the API server took 3 s to end."""
    status, told = beside_plugins(VERSION)
    assert status == 0, told
    version, *ours = told.splitlines()[-3:]
    assert version.startswith("3.")
    assert ours == ["threshold 20000", "frozen True"]
