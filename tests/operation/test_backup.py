import gzip
import json
import os
import shutil
import tarfile
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import report_summary
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.intake.alive import alive_file
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.planned import PlannedRun, Submission, planned_folder, submission_path
from mxtvhf.models.files import sha256_of
from mxtvhf.operation.backup import secrets_of_state, write_backup
from mxtvhf.operation.backup_file import Manifest, PackageWriter, read_manifest
from mxtvhf.operation.database import airflow_database
from mxtvhf.operation.database_dump import DatabaseDump
from mxtvhf.operation.deployment.configuration import read_deployment
from mxtvhf.operation.deployment.secret_files import secret_parts
from mxtvhf.operation.restore import restore_backup
from mxtvhf.operation.stack.airflow_config import secret
from mxtvhf.operation.stack.postgresql import embedded_postgresql
from mxtvhf.settings import Settings
from support.airflow_runs import state_folder
from support.commands import mxtvhf, mxtvhf_process
from support.deployment import write_deployment

BURST = "sb26030704"
# What is hard in Airflow's tables: keys in a circle, identities, sequences, JSON, bytes, computed columns.
TABLES = """
CREATE TABLE "dag_run" (id serial PRIMARY KEY, dag_id text, run_id text, conf jsonb, last_task int,
                        UNIQUE (dag_id, run_id));
CREATE TABLE task (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run int NOT NULL REFERENCES dag_run,
                   "order" text, raw bytea, twice int GENERATED ALWAYS AS (run * 2) STORED);
ALTER TABLE dag_run ADD FOREIGN KEY (last_task) REFERENCES task;
"""
ROWS = r"""
INSERT INTO dag_run (dag_id, run_id, conf) VALUES ('mxt_vhf', 'sb26030704__1', '{"text": "tab\tline\né"}');
INSERT INTO task (run, "order", raw) VALUES (1, E'back\\slash \\N', '\x00ff0a'), (1, NULL, NULL);
UPDATE dag_run SET last_task = 2;
"""

REPORT = {
    "status": "final", "is_test": False, "is_replay": False, "is_retracted": False, "headline": "found",
    "written": "2026-03-07T00:01:00Z", "trigger_time": None, "best_position": None, "products": {},
    "timeline": [],
}  # fmt: skip


def execute(uri, text):
    with (
        closing(psycopg2.connect(uri.replace("+psycopg2", ""))) as database,
        database,
        database.cursor() as at,
    ):
        at.execute(text)
        return at.fetchall() if at.description else None


@pytest.fixture(scope="module")
def server():
    with state_folder() as state, embedded_postgresql(state / "postgres") as running:
        yield running.uri


@pytest.fixture
def database(server):
    """Create an empty database with a name."""

    def make(name):
        with closing(psycopg2.connect(server.replace("+psycopg2", ""))) as maintenance:
            maintenance.autocommit = True
            with maintenance.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")
                cursor.execute(f"CREATE DATABASE {name}")
        return server.replace("/airflow", f"/{name}")

    return make


@pytest.fixture
def source(tmp_path, database):
    """Return an installation with a run and its database."""
    settings, uri = Settings(state=tmp_path / "old"), database("old")
    execute(uri, TABLES + ROWS)
    archive = Archive(settings.archive)
    archive.log_receipt(archive.keep_alert(BURST, b"<alert>"), datetime(2026, 3, 7, tzinfo=UTC), "inbox")
    run = PlannedRun(
        run_id=f"{BURST}__1",
        conf={"burst_id": BURST, "alert": "file:///alert.xml"},
        cause="photons",
        reason="first photons",
        is_test=False,
        is_retraction=False,
        photons=0,
        packets=0,
        planned=datetime(2026, 3, 7, tzinfo=UTC),
    )
    planned_folder(archive, BURST).mkdir()
    (planned_folder(archive, BURST) / "0001.json").write_text(run.model_dump_json())
    posting = Submission(outcome="accepted", posted=datetime.now(UTC) - timedelta(hours=1))
    submission_path(archive, run).write_text(posting.model_dump_json())
    report = settings.products / BURST / run.run_id / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({**REPORT, "burst_id": BURST, "run_id": run.run_id}))
    (settings.releases / BURST).mkdir(parents=True)
    (settings.releases / BURST / "release.json").write_text("{}")
    (settings.home / "secrets").mkdir()
    (settings.home / "secrets" / "fernet").write_text("key")
    (settings.home / "secrets" / "fernet").chmod(0o600)
    return settings, uri, run


def put_back(settings, uri, path, **options):
    def make_tables():
        # Airflow's environment has a key, which is made where there is none.
        secret(settings.home / "secrets" / "fernet")
        execute(uri, TABLES)

    restore_backup(settings, uri, path, read_manifest(path), make_tables=make_tables, **options)


@pytest.mark.service
def test_a_restored_backup_equals_the_saved_state(source, database, tmp_path):
    old, uri, run = source
    path = tmp_path / "backup.tar.gz"
    write_backup(old, uri, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.glob(".*")) == []
    new, restored = Settings(state=tmp_path / "new"), database("new")
    put_back(new, restored, path)
    for query in ("SELECT * FROM dag_run", "SELECT * FROM task ORDER BY id"):
        assert execute(restored, query) == execute(uri, query)
    assert report_summary(new.products, run.run_id).headline == "found"
    assert Archive(new.archive).notices(BURST, until=datetime.now(UTC)).values()
    assert (new.releases / BURST / "release.json").exists()
    assert (new.home / "secrets" / "fernet").read_text() != "key"
    # Airflow has the run of before: nobody asks for it again, and another one of its id is refused.
    assert OpenBursts(new.archive).all() == {}
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(restored, "INSERT INTO dag_run (dag_id, run_id) VALUES ('mxt_vhf', 'sb26030704__1')")
    # Numbers go on where they were, and keys hold again.
    assert execute(restored, "INSERT INTO task (run) VALUES (1) RETURNING id, twice") == [(3, 2)]
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        execute(restored, "INSERT INTO task (run) VALUES (7)")


@pytest.mark.service
def test_a_run_started_after_the_snapshot_is_submitted_again(source, database, tmp_path):
    old, uri, run = source
    posting = Submission(outcome="accepted", posted=datetime.now(UTC))
    submission_path(Archive(old.archive), run).write_text(posting.model_dump_json())
    write_backup(old, uri, tmp_path / "backup")
    new = Settings(state=tmp_path / "new")
    put_back(new, database("new"), tmp_path / "backup")
    assert list(OpenBursts(new.archive).all()) == [BURST]
    assert not submission_path(Archive(new.archive), run).exists()


@pytest.mark.service
def test_secrets_are_saved_only_on_request_and_stay_private(source, database, tmp_path):
    old, uri, _ = source
    write_backup(old, uri, tmp_path / "backup", secrets=secrets_of_state(old.home))
    new = Settings(state=tmp_path / "new")
    put_back(new, database("new"), tmp_path / "backup")
    fernet = new.home / "secrets" / "fernet"
    assert (fernet.read_text(), fernet.stat().st_mode & 0o777) == ("key", 0o600)


@pytest.mark.service
def test_existing_state_is_overwritten_only_on_request(source, database, tmp_path):
    old, uri, _ = source
    path = tmp_path / "backup"
    write_backup(old, uri, path)
    with pytest.raises(InvalidInput, match=r"not empty .*archive.*--overwrite"):
        put_back(old, uri, path)
    with pytest.raises(InvalidInput, match="already contains runs"):
        put_back(Settings(state=tmp_path / "new"), uri, path)
    # What came since then stays.
    receipts = old.archive / BURST / "alerts" / "received.jsonl"
    before = receipts.read_bytes()
    receipts.write_bytes(before + b"later\n")
    shutil.rmtree(old.products)
    execute(uri, "INSERT INTO dag_run (run_id) VALUES ('later')")
    restore_backup(old, uri, path, read_manifest(path), make_tables=lambda: None, overwrite=True)
    assert receipts.read_bytes() == before + b"later\n"
    assert (old.products / BURST / f"{BURST}__1" / "report.json").exists()
    assert execute(uri, "SELECT run_id FROM dag_run") == [(f"{BURST}__1",)]


@pytest.mark.service
def test_a_database_with_other_tables_is_not_changed(source, database, tmp_path):
    old, uri, _ = source
    write_backup(old, uri, tmp_path / "backup")
    other = database("new")
    execute(other, TABLES + "ALTER TABLE task ADD COLUMN more int")
    with pytest.raises(Failure, match="differ from those of the backup: task"):
        restore_backup(
            Settings(state=tmp_path / "new"),
            other,
            tmp_path / "backup",
            read_manifest(tmp_path / "backup"),
            make_tables=lambda: None,
        )
    assert execute(other, "SELECT count(*) FROM dag_run") == [(0,)]


@pytest.mark.service
def test_a_backup_of_another_airflow_version_is_rejected(source, tmp_path):
    old, uri, _ = source
    manifest = write_backup(old, uri, tmp_path / "backup").model_copy(update={"airflow": "2.1.0"})
    with pytest.raises(InvalidInput, match=r"made with Airflow 2\.1\.0"):
        restore_backup(old, uri, tmp_path / "backup", manifest, make_tables=lambda: None)


def damaged_content(raw):
    tar = bytearray(gzip.decompress(raw))
    place = tar.index(b"<alert>")
    tar[place] ^= 1
    return gzip.compress(bytes(tar))


def cut_in_a_file(raw):
    tar = gzip.decompress(raw)
    return gzip.compress(tar[: tar.index(b"<alert>") + 3])


def cut_in_a_header(raw):
    tar = gzip.decompress(raw)
    return gzip.compress(tar[: tar.index(b"state/archive/sb26030704/alerts/") + 100])


@pytest.mark.service
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: b"no backup at all" * 40, "not a backup or a"),
        # The half may end inside a file or between two, as its compressed size has it.
        (lambda raw: raw[: len(raw) // 2], "not a backup or a (truncated|damaged) one: "),
        (cut_in_a_file, "not a backup or a"),
        (cut_in_a_header, "not a backup or a"),
        (lambda raw: raw[:200] + b"\0\0\0\0" + raw[204:], "not a backup or a damaged one"),
        (damaged_content, r"damaged backup: state/archive/sb26030704/alerts/.*does not match its SHA-256"),
        (lambda raw: gzip.compress(bytes(10240)), "not a backup or a"),
    ],
)
def test_a_damaged_backup_is_named_in_one_line(source, tmp_path, damage, message):
    old, uri, _ = source
    path = tmp_path / "backup"
    write_backup(old, uri, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InvalidInput, match=message) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def part(name, **changes):
    made = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize(
    "evil",
    [
        part("/etc/passwd"),
        part("state/../../x"),
        part("elsewhere/x"),
        part("state/link", type=tarfile.SYMTYPE, linkname="/etc"),
        part("state/pipe", type=tarfile.FIFOTYPE),
    ],
)
def test_no_part_of_a_backup_is_written_outside_its_folder(tmp_path, evil):
    manifest = Manifest(
        made=datetime.now(UTC),
        version="0",
        airflow="0",
        home="/",
        with_secrets=False,
        database=DatabaseDump(tables={}, sequences={}),
        sha256={evil.name: sha256_of(b"")},
    )
    with tarfile.open(tmp_path / "backup", "w:gz") as tar:
        tar.addfile(evil)
        PackageWriter(tar).finish(manifest)
    with pytest.raises(InvalidInput, match="not a backup of MXT-VHF"):
        read_manifest(tmp_path / "backup")


def test_an_unreachable_database_leaves_no_incomplete_backup(tmp_path):
    settings = Settings(state=tmp_path / "state")
    settings.archive.mkdir(parents=True)
    uri = f"postgresql:///airflow?host={tmp_path}"
    with pytest.raises(Failure, match="database cannot be read"):
        write_backup(settings, uri, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["state"]


def test_a_folder_without_state_is_rejected(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(InvalidInput, match="not a state folder of MXT-VHF"):
        write_backup(Settings(state=tmp_path), "postgresql:///never", tmp_path / "backup")
    assert os.listdir(tmp_path) == ["photos"]


@pytest.mark.service
def test_a_database_without_tables_is_rejected(database, tmp_path):
    settings = Settings(state=tmp_path / "state")
    settings.archive.mkdir(parents=True)
    with pytest.raises(Failure, match="no tables; nothing was saved"):
        write_backup(settings, database("empty"), tmp_path / "backup")
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("command", [["backup", "b.tar.gz"], ["retention"]])
def test_a_command_does_not_create_a_missing_database(tmp_path, monkeypatch, command):
    (tmp_path / "state" / "archive").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    done = mxtvhf(*command, MXTVHF_STATE=tmp_path / "state")
    assert (done.returncode, done.stderr) == (
        2,
        f"mxtvhf: {tmp_path}/state: no database found; name the installation with --config mxtvhf.toml\n",
    )
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "state"]


def test_missing_secrets_are_an_error(tmp_path):
    with pytest.raises(InvalidInput, match="no secrets found"):
        secrets_of_state(tmp_path)


def test_the_secrets_of_an_installation_are_named_by_its_configuration(tmp_path):
    parts = secret_parts(read_deployment(write_deployment(tmp_path)))
    names = ("fernet", "jwt", "nats", "postgres", "redis", "stations", "users")
    assert parts == {f"secrets/{name}": tmp_path / name for name in names}


JOBS = """
CREATE TABLE job (job_type text, hostname text, state text, latest_heartbeat timestamptz);
INSERT INTO job VALUES ('SchedulerJob', 'a', 'running', now()), ('SchedulerJob', 'b', 'failed', now()),
                       ('TriggererJob', 'c', 'running', now() - interval '5 minutes');
"""


@pytest.mark.service
def test_restore_is_rejected_while_airflow_or_the_listener_runs(source, database, tmp_path):
    old, uri, _ = source
    path = tmp_path / "backup"
    write_backup(old, uri, path)
    new, restored = Settings(state=tmp_path / "new"), database("new")
    execute(restored, JOBS)
    new.archive.mkdir(parents=True)
    alive_file(new.archive).touch()
    with pytest.raises(InvalidInput, match="still running: SchedulerJob on a, the listener; stop everything"):
        put_back(new, restored, path, overwrite=True)
    assert os.listdir(new.archive) == ["alive"]


def test_in_containers_the_environment_names_the_database(tmp_path, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://airflow@postgres/airflow"
    )
    with airflow_database(Settings(state=tmp_path)) as uri:
        assert uri == "postgresql+psycopg2://airflow@postgres/airflow"
    assert os.listdir(tmp_path) == []


@pytest.mark.service
def test_the_configuration_file_determines_what_is_saved(source, database, tmp_path):
    """As in a container, where only the services know the database."""
    settings, uri, _ = source
    config = write_deployment(tmp_path)
    where = psycopg2.extensions.parse_dsn(uri.replace("+psycopg2", ""))
    place = f'host = "{where["host"]}"\nuser = "postgres"\nname = "old"'
    text = config.read_text().replace('host = "postgres"', place)
    config.write_text(text.replace(f'"{tmp_path}/state"', f'"{settings.home}"'))
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "mxtvhf.tar.gz"
    done = mxtvhf_process("--config", config, "backup", target, "--secrets", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert "2 tables" in done.stdout
    assert [path.name for path in target.parent.iterdir()] == [target.name], "no database of its own"
    manifest = read_manifest(target)
    assert manifest.home == str(settings.home)
    assert f"state/archive/{BURST}/planned/0001.json" in manifest.sha256
    assert "secrets/fernet" in manifest.sha256
    assert "state/secrets/fernet" not in manifest.sha256, "of no use to this installation"
    new, restored = Settings(state=tmp_path / "new"), database("new")
    put_back(new, restored, target)
    assert (new.home / "secrets" / "fernet").read_text() != (tmp_path / "fernet").read_text()


def test_an_invalid_configuration_file_is_named(tmp_path):
    done = mxtvhf("--config", tmp_path / "none.toml", "backup", tmp_path / "x.tar.gz")
    assert (done.returncode, done.stderr) == (2, f"mxtvhf: {tmp_path}/none.toml: no such file\n")


@pytest.mark.parametrize(("state", "fault"), [(None, "password"), ("elsewhere", "no such state folder")])
def test_the_configuration_file_of_this_machine_is_the_default(tmp_path, monkeypatch, state, fault):
    config = write_deployment(tmp_path)
    (tmp_path / "postgres").unlink()
    monkeypatch.setattr("mxtvhf.cli.deploy.CONFIG", config)
    monkeypatch.delenv("MXTVHF_STATE", raising=False)
    done = mxtvhf("retention", **({"MXTVHF_STATE": tmp_path / state} if state else {}))
    assert done.returncode == 2
    assert fault in done.stderr
    assert (str(config) in done.stderr) == (state is None)


def test_commands_on_files_need_no_secrets_of_the_installation(tmp_path, monkeypatch):
    config = write_deployment(tmp_path)
    (tmp_path / "postgres").unlink()
    monkeypatch.setattr("mxtvhf.cli.deploy.CONFIG", config)
    monkeypatch.delenv("MXTVHF_STATE", raising=False)
    assert mxtvhf("calibration").returncode == 0
