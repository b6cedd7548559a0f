"""An installation with people, channels and a burst, for the tests of notifications."""

from datetime import UTC, datetime, timedelta

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT, product_folder
from mxtvhf.intake.filing import file_message
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.files import write_atomically
from mxtvhf.notification.notifier import Notifier
from mxtvhf.settings import NotificationPolicy, Settings
from mxtvhf.simulator.notices import write_notice
from support.arrivals import retraction_of
from support.reports import ECLAIRS, VHF, WRITTEN, checked, notice, record, report

BURST = "sb26051102"
NOW = WRITTEN
"""The burst's first report was just written."""
ROTA = """
[people.ada]
name = "Ada Lovelace"
zone = "Europe/Paris"

[people.bob]
name = "Bob"

[people.eve]
name = "Eve"

[[shifts]]
person = "ada"
start = 2026-05-11T08:00:00
end = 2026-05-11T20:00:00

[[shifts]]
person = "bob"
start = 2026-05-11T18:00:00Z
end = 2026-05-12T18:00:00Z
"""


def after(minutes):
    return NOW + timedelta(minutes=minutes)


class Installation:
    """The files of an installation; each person has the channel of a URL."""

    def __init__(self, folder, *, rota=ROTA, **policy):
        folder.mkdir(exist_ok=True)
        (folder / "rota.toml").write_text(rota)
        self.channels = folder / "channels"
        self.channels.touch()
        self.policy = NotificationPolicy(channels=self.channels, rota=folder / "rota.toml", **policy)
        self.settings = Settings(
            state=folder / "var", notification=self.policy, public_url="https://mxt.example.org"
        )
        self.archive = Archive(self.settings.archive)

    def channel(self, tag, server):
        """Give a person the channel of a webhook."""
        url = server.url_file.read_text().strip().replace("http:", "json:")
        with self.channels.open("a") as file:
            file.write(f"{tag} = {url}\n")

    def notifier(self, **options):
        return Notifier(self.settings, self.policy, **options)

    def receive(self, alert, at=NOW):
        message = ReceivedMessage(write_notice(alert), "inbox", at)
        assert file_message(message, self.archive, OpenBursts(self.archive.root))

    def first_notice(self, at=NOW, **changes):
        alert = notice("eclairs-wakeup", 202, ECLAIRS, **changes)
        self.receive(alert, at)
        return alert

    def retraction(self, alert, at):
        self.receive(retraction_of(alert, event_time=at, published=at), at)

    def report(self, *positions, sequence=1, status="final", at=NOW, **changes):
        """Write a report whose best position is the last one."""
        run_id = f"{BURST}__{sequence}{'__test' if changes.get('is_test') else ''}"
        where = positions or (ECLAIRS, VHF)
        made = report(record(where[-1], run_id=run_id, sequence=sequence), checked(*where), light=True)
        made = made.model_copy(update={"status": status, "written": at, **changes})
        folder = product_folder(self.settings.products, BURST, run_id)
        name = FINAL_REPORT if status == "final" else PRELIMINARY_REPORT
        write_atomically(folder / name, made.to_json())
        return made


def utc(*fields):
    return datetime(*fields, tzinfo=UTC)
