"""The intake: what arrives is kept, filed by burst, and given its run, exactly once.

::

    a source keeps a message          spool.py          durably, then it acknowledges it to the sender
    the message is filed              filing.py         notice or VHF packets -> burst folder; else quarantine
    the burst's state is read         burst_state.py    all that is known of the burst
    a run is planned                  planner.py        by the rules of policy.py
    Airflow is asked to start it      dispatch.py       until it has it

The sources and the intake are parts (parts.py): each fails alone, and is started again.

Every stage can be repeated at any time, by any of several intakes on the same archive, with the same result:
what is unfinished is on disk (``incoming/``, ``open/``), and nothing else is remembered.
"""
