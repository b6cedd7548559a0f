"""A real LDAP server (Debian's slapd) with some people and their groups, on loopback and by TLS only."""

import subprocess
import time
from pathlib import Path

import psutil

from support.nats_server import free_port

BASE = "dc=mxt,dc=test"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "canary-ldap-reader"
PEOPLE = {"ada": "burst-advocates", "bob": "observers", "olga": "operators", "eve": None}
"""Login name and group; the password is ``ldap-`` and the name."""

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
directory {folder}/data
overlay memberof
memberof-group-oc groupOfNames
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by anonymous auth by * none
"""


def group_dn(group):
    """Name of a group, as the attribute ``memberOf`` has it."""
    return f"cn={group},ou=groups,{BASE}"


def _entries():
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: mxt\no: MXT\n"
    for unit in ("people", "groups"):
        yield f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n"
    yield (
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {READER_PASSWORD}\n"
    )
    for name, group in PEOPLE.items():
        # slapadd runs no overlay, so that this side of the membership is written, too.
        membership = f"memberOf: {group_dn(group)}\n" if group else ""
        yield (
            f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\n"
            f"givenName: {name}\nsn: {name}\nmail: {name}@mxt.test\nuserPassword: ldap-{name}\n{membership}"
        )
    for name, group in PEOPLE.items():
        if group:
            yield (
                f"dn: {group_dn(group)}\nobjectClass: groupOfNames\ncn: {group}\n"
                f"member: uid={name},ou=people,{BASE}\n"
            )


class LdapServer:
    """The server, to be stopped and started again.

    Parameters
    ----------
    folder
        For configuration and data; it is there.
    certificate, key, ca
        PEM files of the server.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path, ca: Path):
        (folder / "data").mkdir()
        self.url = f"ldaps://127.0.0.1:{free_port()}"
        self._configuration = folder / "slapd.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                folder=folder, base=BASE, reader=READER, certificate=certificate, key=key, ca=ca
            )
        )
        self._log = folder / "slapd.log"
        self._process = None
        command = ["/usr/sbin/slapadd", "-f", str(self._configuration)]
        subprocess.run(command, input="\n".join(_entries()), text=True, check=True, capture_output=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_error):
        self.stop()

    def start(self):
        """Start it and wait until it listens."""
        command = ["/usr/sbin/slapd", "-f", str(self._configuration), "-h", self.url, "-d", "0"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        port, deadline = int(self.url.rpartition(":")[2]), time.monotonic() + 30
        while not any(
            line.laddr.port == port and line.status == psutil.CONN_LISTEN
            for line in psutil.Process(self._process.pid).net_connections()
        ):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"slapd does not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def stop(self):
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
