"""What a task's process finds loaded, since the process that it is forked from has loaded it."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

FORKED = textwrap.dedent("""
    import os
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = os.environ["PYTHONPATH"]
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    from mxtvhf_airflow.patches.warm_up import load_plugins
    load_plugins()

    if os.fork() == 0:
        from mxtvhf_airflow import listener
        from mxtvhf_airflow.web import app
        def create_app():
            raise AssertionError("made anew")
        app.create_app = create_app
        from airflow.sdk.listener import get_listener_manager
        print("listens:", get_listener_manager().pm.is_registered(listener), flush=True)
        os._exit(0)
    print("ended with", os.wait()[1], flush=True)
""")


def test_the_plugin_and_its_pages_are_loaded_before_the_fork(beside_plugins):
    status, told = beside_plugins(FORKED)
    assert status == 0
    assert "listens: True" in told
    assert told.rstrip().endswith("ended with 0")
