"""Modules that the process of a task inherits from the process that forked it."""

import textwrap

import pytest

from support.project import PROJECT

pytestmark = pytest.mark.slow

FORKED = textwrap.dedent("""
    import os
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = os.environ["PYTHONPATH"]
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    from mxtvhf_airflow.preload import load_plugins
    load_plugins()

    if os.fork() == 0:
        import sys
        from mxtvhf_airflow import listener
        from airflow.sdk.listener import get_listener_manager
        print("listens:", get_listener_manager().pm.is_registered(listener), flush=True)
        print("pages:", "mxtvhf_airflow.web.app" in sys.modules, flush=True)
        import mxtvhf_airflow.web.app
        print("libraries:", {"astropy", "matplotlib", "scipy"} & sys.modules.keys(), flush=True)
        os._exit(0)
    print("ended with", os.wait()[1], flush=True)
""")


def test_the_plugin_is_loaded_before_the_fork_but_not_its_pages(beside_airflow):
    """A process that shows no page starts 1 s faster and needs 75 MB less without the web application.

    The web application itself loads no library that only the figures of a report need.
    """
    status, told = beside_airflow(FORKED)
    assert status == 0, told
    assert "listens: True" in told
    assert "pages: False" in told
    assert "libraries: set()" in told
    assert told.rstrip().endswith("ended with 0")


TASK = textwrap.dedent("""
    import os, sys
    from types import SimpleNamespace
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = os.environ["PYTHONPATH"]
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = DAGS
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    from mxtvhf_airflow import environment, params, preload
    preload.preload()

    if os.fork() == 0:
        loaded = set(sys.modules)
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag
        from airflow.sdk.listener import get_listener_manager
        params.get_parsing_context = lambda: SimpleNamespace(task_id="fits_feed")
        DagBundlesManager()
        get_listener_manager()
        for dag in DagBag(DAGS + "/mxt_vhf.py", load_op_links=False).dags.values():
            dag.get_template_env()
        new = {name for name in set(sys.modules) - loaded if not name.startswith("unusual_prefix_")}
        read = environment.process_settings.cache_info()
        print("parameters:", len(dag.params), "imports:", sorted(new), "settings:", read.misses, flush=True)
        os._exit(0)
    print("ended with", os.wait()[1], flush=True)
""")


def test_the_process_of_a_task_imports_nothing_and_does_not_check_the_parameters_again(beside_plugins):
    """Each task used to import the extensions of Jinja and to read the settings."""
    status, told = beside_plugins(f"DAGS = {str(PROJECT / 'dags')!r}\n{TASK}")
    assert status == 0, told
    assert "parameters: 0 imports: [] settings: 1" in told
    assert told.rstrip().endswith("ended with 0")


FAILS = textwrap.dedent("""
    import logging
    from mxtvhf_airflow import preload
    logging.basicConfig()
    preload.MODULES = ("mxtvhf_airflow.not_there",)
    preload.preload()
    print("goes on", flush=True)
""")


def test_a_failure_is_logged_and_the_process_goes_on(beside_airflow):
    status, told = beside_airflow(FAILS)
    assert status == 0, told
    assert "No module named 'mxtvhf_airflow.not_there'" in told
    assert "goes on" in told


CELERY = textwrap.dedent("""
    import os
    os.environ["AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS"] = "mxtvhf_airflow.celery_options.CELERY_CONFIG"
    from mxtvhf_airflow import celery_options
    celery_options.preload = lambda: print("preloads", flush=True)
    from airflow.providers.celery.executors.celery_executor_utils import get_celery_configuration
    from celery.signals import worker_init
    print("ours:", get_celery_configuration() is celery_options.CELERY_CONFIG, flush=True)
    worker_init.send(sender=None)
""")


def test_a_celery_worker_preloads_before_its_pool_is_forked(beside_airflow):
    status, told = beside_airflow(CELERY)
    assert status == 0, told
    assert "ours: True" in told
    assert told.rstrip().endswith("preloads")
