"""The intake: store received messages, file them by burst, and start each run exactly once.

::

    store a message                   spool.py          durably; only then the source acknowledges it
    file the message                  filing.py         into the folder of its burst, or into quarantine
    read the state of the burst       burst_state.py    notices, packets, attitude and planned runs
    plan a run                        planner.py        by the rules of policy.py
    wait for the reports of others    admission.py      in a storm of alerts
    start the run in Airflow          dispatch.py       repeated until Airflow has the run

The sources and the intake are parts (parts.py). Each part fails on its own and is restarted on its own.

Several intakes can share one archive. Any of them can repeat any stage at any time with the same result,
because unfinished work is recorded on disk only (``incoming/``, ``open/``).
"""
