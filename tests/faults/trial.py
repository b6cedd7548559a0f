"""Trials that break a part while alerts arrive, and measure the time until every alert has its report."""

import asyncio
import json
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import islice

from benchmarks.alerts import burst_ids, write_alerts
from mxtvhf.errors import MxtVhfError
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.messages import read_message
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.subscriber import follow
from mxtvhf.workflow.airflow_api import DAG_ID
from support.airflow_runs import all_run_ids
from support.vhf_network import Publisher

ALERTS = int(os.environ.get("MXTVHF_FAULT_ALERTS", "100"))
"""For each fault."""
BETWEEN_S = 0.5
"""Between two alerts."""
AN_ALERT_S = 60.0
"""Of patience for each alert, beside that for the fault."""
FAULT_S = 600.0


class Trial:
    """Sends alerts to an installation during one fault after the other; no burst is sent twice."""

    def __init__(self, api, settings, folder, rows):
        self.api, self.settings, self.rows = api, settings, rows
        self._nats = settings.nats_url, settings.nats_credentials
        self._ids, self._folder = burst_ids(), folder

    def endure(self, name, number, fault):
        """Let alerts come, have the fault happen among them, and see each reported exactly once.

        ``fault`` does the harm, and mends what no supervisor can mend (a full disk).
        """
        bursts = write_alerts(self._folder, islice(self._ids, number))
        sender = threading.Thread(target=self._send, args=(bursts,), name="VHF network")
        sender.start()
        wait_until(lambda: self._at_work(bursts), what="the first alert", timeout=FAULT_S)
        began = time.monotonic()
        fault()
        wait_until(self.api.is_healthy, what=f"{name}: health", timeout=FAULT_S)
        healthy = time.monotonic() - began
        sender.join()
        patience = FAULT_S + AN_ALERT_S * number
        wait_until(lambda: self._ended(bursts), what=f"{name}: all reports", timeout=patience)
        row = {
            "fault": name,
            "alerts": number,
            "healthy after, s": f"{healthy:.0f}",
            "all reported after, s": f"{time.monotonic() - began:.0f}",
            **self.count(bursts),
        }
        self.rows.append(row)
        return row

    def count(self, bursts):
        """Check that each alert has one run, one published final report, and at most one announcement."""
        expected = {f"{burst.name}__1" for burst in bursts}
        runs = Counter(
            run_id for run_id in all_run_ids(self.api) if run_id.partition("__")[0] in names(bursts)
        )
        assert runs == Counter(expected)
        reports = [self._report(burst) for burst in bursts]
        assert {report["run_id"] for report in reports} == expected
        assert {report["status"] for report in reports} == {"final"}
        told, announced = self._told("report"), self._told("announcement")
        finals = Counter(each.run_id for each in told if each.status == "final" and each.run_id in expected)
        assert finals.keys() == expected
        announcements = Counter(each.burst_id for each in announced)
        assert max(announcements.values(), default=0) <= 1
        return {
            "reports": len(reports),
            "told twice": sum(number > 1 for number in finals.values()),
            "without GP": sum(not report["gp"]["available"] for report in reports),
            "tasks tried again": self._tried_again(bursts),
        }

    def _report(self, burst):
        path = self.settings.products / burst.name / f"{burst.name}__1" / "report.json"
        return json.loads(path.read_bytes())

    def _tried_again(self, bursts):
        tasks = []
        for burst in bursts:
            path = f"/api/v2/dags/{DAG_ID}/dagRuns/{burst.name}__1/taskInstances"
            tasks += self.api.get(path)["task_instances"]
        return sum(task["try_number"] > 1 for task in tasks)

    def _at_work(self, bursts):
        with suppress(MxtVhfError):
            return any("running" in self.api.task_states(f"{burst.name}__1").values() for burst in bursts)
        return False

    def _ended(self, bursts):
        with suppress(MxtVhfError):
            time.sleep(0.5)
            return all(self.api.run(f"{burst.name}__1")["state"] in ("success", "failed") for burst in bursts)
        return False

    def _send(self, bursts):
        publisher = Publisher(*self._nats)
        for burst in bursts:
            parts = (("packets.x", "packets.bin"), ("alerts", "eclairs-wakeup.xml"))
            publisher.send([(f"mxtvhf.in.{subject}", (burst / name).read_bytes()) for subject, name in parts])
            time.sleep(BETWEEN_S)

    def _told(self, kind):
        """Return all messages of one kind in NATS."""

        async def read():
            client = await connect(*self._nats, name="test")
            try:
                stored = [read_message(raw) async for raw in follow(client, live=False)]
            finally:
                await client.close()
            return [message for message in stored if message.kind == kind]

        return asyncio.run(read())


def names(bursts):
    return {burst.name for burst in bursts}
