"""The intake: what arrives by any way is kept, filed by burst, and given its run, exactly once.

::

    a source keeps a message      incoming.py    durable, then acknowledged to whoever sent it
    it is filed                   filing.py      notice or VHF packets -> its burst's folder; else quarantine
    the burst is looked at        picture.py     all that is known of it
    and a run wanted              planning.py    one per notice, some per growing packet stream
    which Airflow is asked for    dispatch.py    until it has it

Every stage can be done again at any time, by any of several intakes on the same archive, with the same
result: what is unfinished stands on the disk (``incoming/``, ``open/``), and nothing else is remembered.
"""
